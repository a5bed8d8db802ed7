// Rows of the list: a dialog, the lobby, a person who was found.
//
// Invariant: every row is as high as every other, whatever is known of it.
import { useSignal } from "@preact/signals";
import { dialogItems, menuLabel } from "../groups/menu";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { isMuted, saidMs } from "../model/dialogs";
import type { Dialog, Person } from "../model/resources";
import { pathOf, route } from "../router";
import { useChat } from "../shell/here";
import { type Anchor, Menu, MenuButton } from "../shell/menu";
import { times, words } from "../words";
import { Preview } from "./preview";
import { titleOf } from "./title";

export function DialogRow({ dialog }: { readonly dialog: Dialog }) {
  const chat = useChat();
  const { list } = words();
  const { id, user, unread, mentions, pinned } = dialog;
  const timeMs = saidMs(dialog);
  const now = Date.now();
  const muted = isMuted(dialog, now);
  const title = titleOf(dialog);
  // Without a connection nobody knows.
  const isOnline = !!user && chat.connection.isCalm.value && !chat.isRecalled.value && !!chat.people.get(user.id).value?.online;
  const draft = isAt(id) ? "" : (chat.drafts.all.value[id] ?? "");
  const anchor = useSignal<Anchor | null>(null);
  const items = () => dialogItems(chat, dialog);
  const isGroup = dialog.kind !== "direct";
  return (
    <li
      class="row"
      data-dialog={id}
      data-unread={unread}
      data-mentions={mentions}
      onContextMenu={(event) => {
        event.preventDefault();
        // Without a pointer it is the key for it, pressed on the row.
        const { right, bottom } = event.currentTarget.getBoundingClientRect();
        anchor.value = event.clientX || event.clientY ? { x: event.clientX, y: event.clientY } : { x: right, y: bottom };
      }}
    >
      <a href={pathOf(id, true)} aria-current={isAt(id) ? "page" : undefined}>
        <Face
          id={user?.id ?? id}
          name={title}
          avatar={isGroup ? (dialog.avatar ?? null) : undefined}
          isOnline={isOnline}
          mark={isGroup && <Icon name="people" />}
        />
        <span class="title">
          <span class="name" dir="auto">
            {title}
          </span>
          {muted && <Mark name="mute" label={list.muted} />}
          {pinned && <Mark name="pin" label={list.pinned} />}
        </span>
        <time dateTime={new Date(timeMs).toISOString()}>{times().short(timeMs, now)}</time>
        <span class="preview" dir="auto">
          <Preview dialog={dialog} draft={draft} me={chat.me.id} />
        </span>
        <span class="badges">
          {mentions > 0 && (
            <span class="badge" data-mention role="img" aria-label={list.mentions(mentions)}>
              @
            </span>
          )}
          {unread > 0 && <Count unread={unread} isMuted={muted} />}
        </span>
      </a>
      <span class="row-menu">
        <MenuButton label={menuLabel(dialog)} items={items} isAside />
      </span>
      {anchor.value && <Menu label={menuLabel(dialog)} items={items()} anchor={anchor.value} close={() => (anchor.value = null)} />}
    </li>
  );
}

/** A plain room, open to everybody. */
export function RoomRow({ name }: { readonly name: string }) {
  const chat = useChat();
  const { list } = words();
  const unread = chat.lobby.unread.value;
  return (
    <li class="row" data-dialog={name} data-unread={unread} data-mentions={0}>
      <a href={pathOf(name, false)} aria-current={isAt(name) ? "page" : undefined}>
        <Face id={name} name={list.lobby} mark={<Icon name="room" />} />
        <span class="title">
          <span class="name">{list.lobby}</span>
        </span>
        <span class="preview">{chat.drafts.all.value[name] && !isAt(name) ? <span class="draft">{list.draft}</span> : list.lobbyHint}</span>
        <span class="badges">{unread > 0 && <Count unread={unread} isMuted />}</span>
      </a>
    </li>
  );
}

export function PersonRow({ person, open }: { readonly person: Person; open(person: Person): void }) {
  const { conversation } = words();
  return (
    <li class="row">
      <button type="button" onClick={() => open(person)}>
        <Face id={person.id} name={person.name} isOnline={person.online} />
        <span class="title">
          <span class="name" dir="auto">
            {person.name}
          </span>
        </span>
        <span class="preview" dir="auto">
          {person.about || (person.online ? conversation.online : "")}
        </span>
      </button>
    </li>
  );
}

/** How much is new; muted: without insisting. */
function Count({ unread, isMuted }: { readonly unread: number; readonly isMuted: boolean }) {
  return (
    <span class="badge" data-muted={isMuted || undefined} role="img" aria-label={words().list.unread(unread)}>
      {unread > 999 ? "999+" : unread}
    </span>
  );
}

function Mark({ name, label }: { readonly name: "mute" | "pin"; readonly label: string }) {
  return (
    <span class="mark" role="img" aria-label={label} title={label}>
      <Icon name={name} size={14} />
    </span>
  );
}

function isAt(name: string): boolean {
  const at = route.value;
  return at.at === "conversation" && at.name === name;
}
