// One message as it is seen.
//
// Invariants: what others wrote enters the page as text and nothing else; nothing changes its size when it is stored.

import { Face } from "../look/face";
import { Icon, type IconName } from "../look/icons";
import type { Conversation } from "../model/conversation";
import { type Shown, type Ticks, ticksOf } from "../model/shown";
import { sayError, times, words } from "../words";
import { memo } from "./memo";
import { Text } from "./text";

interface MessageProps {
  readonly shown: Shown;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly isRead: boolean;
  readonly conversation: Conversation;
}

export const Message = memo(function Message({ shown, isFirst, isLast, isRead, conversation }: MessageProps) {
  const { sender, senderName, isOwn, offset, messageId, timeMs } = shown;
  const { conversation: say } = words();
  const ticks = ticksOf(shown, isRead ? offset : 0);
  return (
    <li
      class="message"
      data-own={isOwn || undefined}
      data-first={isFirst || undefined}
      data-last={isLast || undefined}
      data-message-id={messageId}
      data-offset={offset || undefined}
      data-ticks={isOwn ? ticks : undefined}
      data-deleted={shown.isDeleted || undefined}
    >
      {!isOwn && isFirst && <Face id={sender} name={senderName} />}
      <div class="paper">
        {!isOwn && isFirst && (
          <p class="name" dir="auto">
            {senderName || say.unknown}
          </p>
        )}
        <Body shown={shown} />
        <span class="stamp">
          {shown.isEdited && <span>{say.edited}</span>}
          <time dateTime={new Date(timeMs).toISOString()} title={times().full(timeMs)}>
            {times().clock(timeMs)}
          </time>
          {isOwn && <TicksMark ticks={ticks} />}
        </span>
        {shown.state === "failed" && <Failed shown={shown} conversation={conversation} />}
      </div>
    </li>
  );
});

function Body({ shown: { text, isDeleted, isBinary } }: { readonly shown: Shown }) {
  const { conversation } = words();
  if (isDeleted || isBinary) return <i class="text quiet">{isDeleted ? conversation.deleted : conversation.binary}</i>;
  return (
    <span class="text" data-part="text" dir="auto">
      <Text text={text} />
    </span>
  );
}

const TICKS: Record<Ticks, IconName> = { pending: "clock", failed: "alert", stored: "tick", delivered: "ticks", read: "ticks" };

function TicksMark({ ticks }: { readonly ticks: Ticks }) {
  const label = words().ticks[ticks];
  return (
    <span class="ticks" role="img" aria-label={label} title={label}>
      <Icon name={TICKS[ticks]} size={16} />
    </span>
  );
}

function Failed({ shown, conversation }: { readonly shown: Shown; readonly conversation: Conversation }) {
  const { failed } = words();
  return (
    <p class="failed" role="alert">
      <span>{sayError(shown.error)}</span>
      <button type="button" class="link" onClick={() => conversation.retry(shown)}>
        {failed.retry}
      </button>
      <button type="button" class="link" onClick={() => conversation.drop(shown)}>
        {failed.drop}
      </button>
    </p>
  );
}
