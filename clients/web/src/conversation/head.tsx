// The head of a conversation: who it is with, and what they are doing; or that there is no connection.

import { dialogItems, menuLabel, opened } from "../groups/menu";
import { titleOf } from "../list/title";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import type { Conversation } from "../model/conversation";
import { LOBBY } from "../model/lobby";
import { useChat } from "../shell/here";
import { Link } from "../shell/link";
import { MenuButton } from "../shell/menu";
import { times, words } from "../words";

interface HeadProps {
  /** The room's name. */
  readonly name: string;
  readonly isDialog: boolean;
  /** Absent when it cannot be read. */
  readonly conversation: Conversation | null;
}

export function Head({ name, isDialog, conversation }: HeadProps) {
  const chat = useChat();
  const { back, list, groups, conversation: say } = words();
  const dialog = chat.dialogs.get(name);
  // One may have been put out of it, or have gone; what it was called is still known.
  const known = dialog ?? chat.dialogs.left(name);
  const other = known?.user;
  const isOnline = !!other && chat.connection.isCalm.value && !chat.isRecalled.value && !!chat.people.get(other.id).value?.online;
  // The name of a dialog is nothing to read.
  const title = known
    ? titleOf(known)
    : isDialog
      ? chat.dialogs.state.value === "loading"
        ? "\u00a0"
        : say.title
      : name === LOBBY
        ? list.lobby
        : name;
  const mark = !other && <Icon name={isDialog ? "people" : "room"} />;
  return (
    <header class="bar">
      <a class="quiet-button back" href="/" aria-label={back} title={back}>
        <Icon name="back" />
      </a>
      <Face id={other?.id ?? name} name={title} avatar={other ? undefined : (known?.avatar ?? null)} isOnline={isOnline} mark={mark} />
      <div class="bar-title">
        <h1 dir="auto">{title}</h1>
        {(conversation || !chat.connection.isCalm.value) && (
          <p class="doing">{conversation && chat.connection.isCalm.value ? <Doing name={name} conversation={conversation} /> : <Link />}</p>
        )}
      </div>
      {dialog && dialog.kind !== "direct" && (
        <button type="button" class="quiet-button" aria-label={groups.info} title={groups.info} onClick={() => (opened.value = dialog.id)}>
          <Icon name="people" />
        </button>
      )}
      {dialog && <MenuButton label={menuLabel(dialog)} items={() => dialogItems(chat, dialog)} />}
    </header>
  );
}

function Doing({ name, conversation }: { readonly name: string; readonly conversation: Conversation }) {
  const chat = useChat();
  const { conversation: say } = words();
  const dialog = chat.dialogs.get(name);
  const typing = conversation.typing.value;
  if (typing.length) {
    const names = typing.map((user) => nameIn(conversation, user) ?? chat.people.get(user).value?.name ?? say.unknown);
    return <span class="typing">{dialog?.kind === "direct" ? say.typingAlone : say.typing(names)}</span>;
  }
  if (dialog?.user) {
    const person = chat.people.get(dialog.user.id).value ?? dialog.user;
    if (person.online) return <>{say.online}</>;
    return <>{person.last_seen_ms ? say.lastSeen(times().seen(person.last_seen_ms, Date.now())) : say.offline}</>;
  }
  const { count } = conversation.presence.value;
  const parts = [dialog && say.members(dialog.member_count), count > 0 && say.here(count)].filter(Boolean);
  return <>{parts.join(" · ")}</>;
}

const nameIn = ({ presence }: Conversation, user: string) => presence.value.members.get(user)?.name;
