// One person among the contacts, with what can be done.

import { Face } from "../look/face";
import type { IconName } from "../look/icons";
import { Icon } from "../look/icons";
import { actsFor, type ContactAct } from "../model/contacts";
import type { Person } from "../model/resources";
import { go, pathOf } from "../router";
import { Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { MenuButton } from "../shell/menu";
import { times, words } from "../words";

const ICONS: Readonly<Record<ContactAct, IconName>> = {
  request: "plus",
  accept: "tick",
  decline: "close",
  cancel: "close",
  block: "block",
  unblock: "block",
  remove: "bin",
};

export function PersonRow({ person: given }: { readonly person: Person }) {
  const chat = useChat();
  const { contacts: say, conversation, refusals } = words();
  const { act, isBusy, problem } = useAct();
  const person = chat.people.known(given.id).value ?? given;
  const { id, name, about, online, last_seen_ms } = person;
  const state = chat.contacts.stateOf(id);
  const [first, ...others] = actsFor(state);
  const write = () =>
    act(async () => {
      const dialog = await chat.dialogs.openDirect(id);
      go(pathOf(dialog.id, true));
    }, "write");
  const run = (what: ContactAct) => act(() => chat.contacts.act(id, what), what);
  const seen = online ? conversation.online : last_seen_ms ? conversation.lastSeen(times().seen(last_seen_ms, Date.now())) : "";
  // A friend is written to; the rest one does to a friend is in the menu.
  const isFirstShown = state !== "friend";
  const inMenu = isFirstShown ? others : [first, ...others];
  return (
    <li class="person" data-user={id} data-state={state ?? "none"} aria-busy={isBusy.value}>
      <Face id={id} name={name} isOnline={online} />
      <span class="told">
        <b dir="auto">{name}</b>
        <span class="quiet" dir="auto">
          {about || seen}
        </span>
        <Problem of={problem.value} cases={{ not_possible: refusals.unblockFirst, not_allowed: refusals.notWith }} />
      </span>
      {state !== "blocked" && (
        <button type="button" class="quiet-button" aria-label={say.writeTo(name)} title={say.write} onClick={write}>
          <Icon name="pen" />
        </button>
      )}
      {isFirstShown && first && (
        <button type="button" class={state === "received" ? "primary" : "plain"} onClick={() => run(first)}>
          {say[first]}
        </button>
      )}
      {state === "received" && (
        <button type="button" class="plain" onClick={() => run("decline")}>
          {say.decline}
        </button>
      )}
      {inMenu.length > 0 && (
        <MenuButton
          label={say.menu(name)}
          items={() =>
            inMenu
              .filter((what): what is ContactAct => !!what && !(state === "received" && what === "decline"))
              .map((what) => ({ label: say[what], icon: ICONS[what], isGrave: what === "block", do: () => run(what) }))
          }
        />
      )}
    </li>
  );
}
