// One message as it is seen.
//
// Invariants: what others wrote enters the page as text and nothing else; nothing changes its size when it is stored.

import { useRef } from "preact/hooks";
import { Face } from "../look/face";
import { Icon, type IconName } from "../look/icons";
import { type Shown, type Ticks, ticksOf } from "../model/shown";
import { sayError, times, words } from "../words";
import { Body } from "./body";
import { Files } from "./files";
import { memo } from "./memo";
import "./message.css";
import { useLog } from "./open";
import { Quote } from "./quote";
import { Reactions } from "./reactions";

interface MessageProps {
  readonly shown: Shown;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly isRead: boolean;
  readonly isFlashing: boolean;
}

/** A finger that rests so long wants the menu, milliseconds; one that moves so far does not, pixels. */
const LONG_PRESS_MS = 450;
const STILL_PX = 8;

export const Message = memo(function Message({ shown, isFirst, isLast, isRead, isFlashing }: MessageProps) {
  const { sender, senderName, isOwn, offset, messageId, timeMs, replyTo } = shown;
  const { conversation: say, talk } = words();
  const ticks = ticksOf(shown, isRead ? offset : 0);
  const press = usePress(shown);
  return (
    <li
      class="message"
      tabIndex={-1}
      data-own={isOwn || undefined}
      data-first={isFirst || undefined}
      data-last={isLast || undefined}
      data-message-id={messageId}
      data-offset={offset || undefined}
      data-ticks={isOwn ? ticks : undefined}
      data-changing={shown.isChanging || undefined}
      data-flashing={isFlashing || undefined}
      data-deleted={shown.isDeleted || undefined}
    >
      {!isOwn && isFirst && <Face id={sender} name={senderName} />}
      <div class="message-line">
        <div class="paper" {...press.events}>
          {!isOwn && isFirst && (
            <p class="name" dir="auto">
              {senderName || say.unknown}
            </p>
          )}
          {replyTo > 0 && !shown.isDeleted && <Quote offset={replyTo} />}
          {shown.files.length > 0 && <Files files={shown.files} />}
          <Body shown={shown} />
          <span class="stamp">
            {shown.isEdited && !shown.isDeleted && <span>{say.edited}</span>}
            <time dateTime={new Date(timeMs).toISOString()} title={times().full(timeMs)}>
              {times().clock(timeMs)}
            </time>
            {isOwn && <TicksMark ticks={shown.isChanging ? "pending" : ticks} label={shown.isChanging ? talk.changing : undefined} />}
          </span>
          {shown.state === "failed" && <Failed shown={shown} />}
        </div>
        {shown.state === "stored" && (
          <button type="button" class="message-more" tabIndex={-1} aria-label={talk.menu} title={talk.menu} onClick={press.open}>
            <Icon name="more" size={18} />
          </button>
        )}
      </div>
      {shown.reactions.length > 0 && !shown.isDeleted && <Reactions shown={shown} />}
    </li>
  );
});

/** What opens the menu of a message: the other mouse button, a long press. */
function usePress(shown: Shown) {
  const log = useLog();
  const press = useRef({ timer: 0, x: 0, y: 0 });
  const openAt = (x: number, y: number) => {
    if (shown.state === "stored") log.menu.value = { shown, x, y };
  };
  const end = () => clearTimeout(press.current.timer);
  const events = {
    onContextMenu: (event: MouseEvent) => {
      // A link and what is selected have a menu of their own.
      if (shown.state !== "stored" || (event.target as Element).closest("a") || String(getSelection())) return;
      event.preventDefault();
      end();
      openAt(event.clientX, event.clientY);
    },
    onPointerDown: ({ pointerType, clientX: x, clientY: y, target }: PointerEvent) => {
      if (pointerType !== "touch" || (target as Element).closest("a, button")) return;
      end();
      press.current = { timer: setTimeout(openAt, LONG_PRESS_MS, x, y) as unknown as number, x, y };
    },
    onPointerMove: ({ clientX, clientY }: PointerEvent) => {
      if (Math.hypot(clientX - press.current.x, clientY - press.current.y) > STILL_PX) end();
    },
    onPointerUp: end,
    onPointerCancel: end,
  };
  const open = (event: MouseEvent) => {
    const { left, bottom } = (event.currentTarget as Element).getBoundingClientRect();
    openAt(left, bottom);
  };
  return { events, open };
}

const TICKS: Record<Ticks, IconName> = { pending: "clock", failed: "alert", stored: "tick", delivered: "ticks", read: "ticks" };

function TicksMark({ ticks, label = words().ticks[ticks] }: { readonly ticks: Ticks; readonly label?: string | undefined }) {
  return (
    <span class="ticks" role="img" aria-label={label} title={label}>
      <Icon name={TICKS[ticks]} size={16} />
    </span>
  );
}

function Failed({ shown }: { readonly shown: Shown }) {
  const { failed } = words();
  const { conversation } = useLog();
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
