// Rows of the list: a dialog, the lobby, a person who was found.
//
// Invariant: every row is as high as every other, whatever is known of it.
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { isMuted } from "../model/dialogs";
import type { Dialog, Person } from "../model/resources";
import { pathOf, route } from "../router";
import { useChat } from "../shell/here";
import { times, words } from "../words";
import { Preview } from "./preview";

/** What a dialog is called: a direct one as the other user. */
export const titleOf = (dialog: Dialog) => dialog.title || dialog.user?.name || words().conversation.unknown;

export function DialogRow({ dialog }: { readonly dialog: Dialog }) {
  const chat = useChat();
  const { list } = words();
  const { id, user, unread, mentions, pinned, activity_ms } = dialog;
  const now = Date.now();
  const muted = isMuted(dialog, now);
  const title = titleOf(dialog);
  const isOnline = !!user && !!chat.people.get(user.id).value?.online;
  const draft = isAt(id) ? "" : (chat.drafts.all.value[id] ?? "");
  return (
    <li class="row" data-dialog={id} data-unread={unread} data-mentions={mentions}>
      <a href={pathOf(id, true)} aria-current={isAt(id) ? "page" : undefined}>
        <Face id={user?.id ?? id} name={title} isOnline={isOnline} mark={dialog.kind === "group" && <Icon name="people" />} />
        <span class="title">
          <span class="name" dir="auto">
            {title}
          </span>
          {muted && <Mark name="mute" label={list.muted} />}
          {pinned && <Mark name="pin" label={list.pinned} />}
        </span>
        <time dateTime={new Date(activity_ms).toISOString()}>{times().short(activity_ms, now)}</time>
        <span class="preview" dir="auto">
          <Preview dialog={dialog} draft={draft} me={chat.me.id} />
        </span>
        <span class="badges">
          {mentions > 0 && (
            <span class="badge mention" role="img" aria-label={list.mentions(mentions)}>
              @
            </span>
          )}
          {unread > 0 && (
            <span class="badge" data-muted={muted || undefined} role="img" aria-label={list.unread(unread)}>
              {unread > 999 ? "999+" : unread}
            </span>
          )}
        </span>
      </a>
    </li>
  );
}

/** A plain room, open to everybody. */
export function RoomRow({ name }: { readonly name: string }) {
  const chat = useChat();
  const { list } = words();
  return (
    <li class="row" data-dialog={name} data-unread={0} data-mentions={0}>
      <a href={pathOf(name, false)} aria-current={isAt(name) ? "page" : undefined}>
        <Face id={name} name={list.lobby} mark={<Icon name="room" />} />
        <span class="title">
          <span class="name">{list.lobby}</span>
        </span>
        <span class="preview">{chat.drafts.all.value[name] && !isAt(name) ? <span class="draft">{list.draft}</span> : list.lobbyHint}</span>
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
