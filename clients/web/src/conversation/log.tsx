// The messages of a conversation, and where in them one is.
//
// Owns scrolling: it begins at the line before what is new or else at the end, follows the end while one is there, and
// keeps its place when older messages come in above. Invariant: what is read is what a person could see: the end of the
// list, in a window that is shown.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import type { Conversation } from "../model/conversation";
import { Empty } from "../shell/empty";
import { times, words } from "../words";
import { Message } from "./message";

/** This near to an end counts as at it, pixels. */
const NEAR_PX = 48;
/** Older messages are asked for this far before the top is reached, pixels. */
const AHEAD_PX = 900;

export function Log({ conversation }: { readonly conversation: Conversation }) {
  const { conversation: say } = words();
  const scroller = useRef<HTMLDivElement>(null);
  /** Where one is: at the end, or so far from it. */
  const place = useRef({ isAtEnd: true, fromEnd: 0, hasBegun: false });
  const isAway = useSignal(false);
  const rows = conversation.rows.value;
  const isOpen = conversation.state.value === "open";
  const readUpTo = conversation.readUpTo.value;

  const look = () => {
    const element = scroller.current;
    if (!element) return;
    const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    place.current.fromEnd = element.scrollHeight - element.scrollTop;
    place.current.isAtEnd = fromEnd < NEAR_PX;
    isAway.value = !place.current.isAtEnd;
    if (element.scrollTop < AHEAD_PX && isOpen && conversation.hasOlder.peek()) void conversation.older();
    if (place.current.isAtEnd && document.visibilityState === "visible" && document.hasFocus()) conversation.seen();
  };

  const first = rows.find((row) => row.kind === "message")?.key;
  const shownFirst = useRef(first);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const line = element.querySelector("[data-part=unread]");
    if (!place.current.hasBegun && isOpen) {
      place.current.hasBegun = true;
      if (line) line.scrollIntoView({ block: "center" });
      else element.scrollTop = element.scrollHeight;
    } else if (place.current.isAtEnd) element.scrollTop = element.scrollHeight;
    else if (shownFirst.current !== first) element.scrollTop = element.scrollHeight - place.current.fromEnd;
    shownFirst.current = first;
    look();
  }, [rows, isOpen]);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    // The keyboard of a phone, a longer composer: the end stays in sight.
    const observer = new ResizeObserver(() => {
      if (place.current.isAtEnd) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    const events = ["focus", "visibilitychange"] as const;
    for (const event of events) addEventListener(event, look);
    return () => {
      observer.disconnect();
      for (const event of events) removeEventListener(event, look);
    };
  }, [conversation, isOpen]);

  const toEnd = () => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };

  return (
    <div class="log">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard */}
      <div class="scroll" ref={scroller} onScroll={look} tabIndex={0} role="log" aria-label={say.messages} aria-busy={!isOpen}>
        <Top conversation={conversation} isOpen={isOpen} isEmpty={!rows.length} />
        <ol>
          {rows.map((row) => {
            if (row.kind === "day") {
              return (
                <li key={row.key} class="day" data-part="day">
                  <time dateTime={new Date(row.timeMs).toISOString()}>{times().day(row.timeMs, Date.now())}</time>
                </li>
              );
            }
            if (row.kind === "unread") {
              return (
                <li key={row.key} class="unread-line" data-part="unread">
                  {say.unread}
                </li>
              );
            }
            return (
              <Message
                key={row.key}
                shown={row.shown}
                isFirst={row.isFirst}
                isLast={row.isLast}
                isRead={row.shown.isOwn && row.shown.offset > 0 && row.shown.offset <= readUpTo}
                conversation={conversation}
              />
            );
          })}
        </ol>
      </div>
      {isAway.value && (
        <button type="button" class="to-end" onClick={toEnd}>
          {say.down(conversation.unread.value)} <Icon name="down" size={16} />
        </button>
      )}
    </div>
  );
}

interface TopProps {
  readonly conversation: Conversation;
  readonly isOpen: boolean;
  readonly isEmpty: boolean;
}

/** What is above the oldest message; always as high, so that nothing moves when it changes. */
function Top({ conversation, isOpen, isEmpty }: TopProps) {
  const { conversation: say } = words();
  const remark = conversation.remark.value;
  if (isOpen && isEmpty && !conversation.hasOlder.value) return <Empty title={say.empty}>{say.emptyHint}</Empty>;
  const isBeginning = isOpen && !conversation.hasOlder.value && !conversation.isLoading.value;
  return (
    <p class="top quiet">
      {remark ? say[remark === "lost" ? "lost" : "rewritten"] : isBeginning ? (conversation.isTrimmed ? say.trimmed : say.beginning) : ""}
    </p>
  );
}
