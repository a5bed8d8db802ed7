// The messages of a conversation: as many rows of them in the page as can be seen, and a little more.
//
// Where one is in them belongs to `place.ts`. It begins at the line before what is new or else at the end. Invariant:
// what is read is what a person could see, in a window that is shown.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import type { Conversation } from "../model/conversation";
import type { Row } from "../model/rows";
import { Empty } from "../shell/empty";
import { useChat } from "../shell/here";
import { times, words } from "../words";
import { Menu } from "./menu";
import { Message } from "./message";
import { Note } from "./note";
import { OpenLog, OpenProvider } from "./open";
import { Place } from "./place";
import { walk } from "./walk";

/** Older messages are asked for this far before the top is reached, pixels. */
const AHEAD_PX = 2_500;
/** What one scrolls past is not read. */
const READ_AFTER_MS = 200;
/** A message that one was led to is marked for so long. */
const FLASH_MS = 1_600;

interface LogProps {
  readonly conversation: Conversation;
  readonly mayWrite: boolean;
  readonly mayModerate: boolean;
}

export function Log({ conversation, mayWrite, mayModerate }: LogProps) {
  const { conversation: say } = words();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const place = useMemo(() => new Place(), [conversation]);
  const log = useMemo(() => new OpenLog(conversation, mayWrite, mayModerate), [conversation, mayWrite, mayModerate]);
  const hasBegun = useRef(false);
  const isAway = useSignal(false);
  const lineSide = useSignal(0);
  const flashing = useSignal("");
  const rows = conversation.rows.value;
  const isOpen = conversation.state.value === "open";
  const readUpTo = conversation.readUpTo.value;
  const wanted = conversation.wanted.value;
  place.moved.value;
  if (isOpen && !hasBegun.current) {
    hasBegun.current = true;
    place.heights.put(rows);
    place.to("unread");
  }
  if (wanted === "end") place.stay();
  else if (wanted) {
    place.heights.put(rows);
    const row = rows.find((row) => row.kind === "message" && row.shown.offset === wanted.offset);
    if (row && place.to(row.key)) flashing.value = row.key;
  }
  const [from, to] = place.span(rows);

  const read = () => {
    if (!hasBegun.current || document.visibilityState !== "visible" || !document.hasFocus()) return;
    const row = place.isAtEnd ? null : place.lastSeen();
    conversation.seen(row?.kind === "message" ? row.shown.offset : row ? 0 : undefined);
  };
  const timer = useRef(0);
  const look = () => {
    const { above } = place.look();
    isAway.value = !place.isAtEnd;
    lineSide.value = conversation.hasLineAbove() ? -1 : place.heights.indexOf("unread") < 0 ? 0 : place.side("unread");
    if (above < AHEAD_PX && isOpen && conversation.hasOlder.peek()) void conversation.older();
    clearTimeout(timer.current);
    if (place.isAtEnd) read();
    else timer.current = setTimeout(read, READ_AFTER_MS) as unknown as number;
  };

  const toLine = async () => {
    if ((await conversation.goToLine()) && place.to("unread")) place.moved.value++;
  };

  const observer = useRef<ResizeObserver | null>(null);
  useLayoutEffect(() => {
    place.hold(scroller.current, list.current);
    for (const row of list.current?.children ?? []) observer.current?.observe(row);
    place.settle();
    look();
    if (wanted) conversation.wanted.value = null;
  });
  useEffect(() => {
    // The keyboard of a phone, a longer composer, a picture, a text that is unfolded: one's place stays.
    const watching = (observer.current = new ResizeObserver(() => {
      place.settle();
      look();
    }));
    for (const element of [scroller.current, ...(list.current?.children ?? [])]) if (element) watching.observe(element);
    const events = ["focus", "visibilitychange"] as const;
    for (const event of events) addEventListener(event, look);
    return () => {
      watching.disconnect();
      clearTimeout(timer.current);
      for (const event of events) removeEventListener(event, look);
    };
  }, [conversation, isOpen]);
  useEffect(() => {
    if (!flashing.value) return;
    const end = setTimeout(() => (flashing.value = ""), FLASH_MS);
    return () => clearTimeout(end);
  }, [flashing.value]);

  return (
    <OpenProvider value={log}>
      <div class="log">
        {/* biome-ignore-start lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard */}
        <div
          class="scroll"
          ref={scroller}
          onScroll={look}
          onKeyDown={(event) => walk(event, log)}
          tabIndex={0}
          role="log"
          aria-label={say.messages}
          aria-busy={!isOpen}
          // What comes into the page by scrolling is no news.
          aria-live={isAway.value ? "off" : "polite"}
        >
          <Top conversation={conversation} isOpen={isOpen} isEmpty={!rows.length} />
          <ol ref={list}>
            {rows.slice(from, to).map((row) => (
              <RowOf key={row.key} row={row} readUpTo={readUpTo} isFlashing={flashing.value === row.key} />
            ))}
          </ol>
        </div>
        {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: as above */}
        {lineSide.value < 0 && (
          <button type="button" class="jump to-unread" onClick={() => void toLine()}>
            <Icon name="up" size={16} /> {say.toUnread}
          </button>
        )}
        {isAway.value && (
          <button type="button" class="jump to-end" onClick={() => place.toEnd()}>
            {say.down(conversation.unread.value)} <Icon name="down" size={16} />
          </button>
        )}
        <Note log={log} />
        {log.menu.value && <Menu key={log.menu.value.shown.key} log={log} menu={log.menu.value} />}
      </div>
    </OpenProvider>
  );
}

interface RowProps {
  readonly row: Row;
  readonly readUpTo: number;
  readonly isFlashing: boolean;
}

function RowOf({ row, readUpTo, isFlashing }: RowProps) {
  if (row.kind === "day") {
    return (
      <li class="day" data-part="day">
        <time dateTime={new Date(row.timeMs).toISOString()}>{times().day(row.timeMs, Date.now())}</time>
      </li>
    );
  }
  if (row.kind === "unread") {
    return (
      <li class="unread-line" data-part="unread">
        {words().conversation.unread}
      </li>
    );
  }
  if (row.kind === "hole") {
    return (
      <li class="hole quiet" data-part="hole">
        {words().conversation.loading}
      </li>
    );
  }
  const { shown, isFirst, isLast } = row;
  const isRead = shown.isOwn && shown.offset > 0 && shown.offset <= readUpTo;
  return <Message shown={shown} isFirst={isFirst} isLast={isLast} isRead={isRead} isFlashing={isFlashing} />;
}

interface TopProps {
  readonly conversation: Conversation;
  readonly isOpen: boolean;
  readonly isEmpty: boolean;
}

/** What is above the oldest message; always as high, so that nothing moves when it changes. */
function Top({ conversation, isOpen, isEmpty }: TopProps) {
  const { connection } = useChat();
  const { conversation: say } = words();
  const remark = conversation.remark.value;
  if (isOpen && isEmpty && !conversation.hasOlder.value) return <Empty title={say.empty}>{say.emptyHint}</Empty>;
  // Nothing is known of it, and nobody is there to ask: that is not the same as empty.
  if (!isOpen && isEmpty && !connection.isCalm.value) return <Empty title={say.notHereYet}>{say.notHereYetHint}</Empty>;
  const isBeginning = isOpen && !conversation.hasOlder.value && !conversation.isLoading.value;
  return (
    <p class="top quiet">
      {remark ? say[remark === "lost" ? "lost" : "rewritten"] : isBeginning ? (conversation.isTrimmed ? say.trimmed : say.beginning) : ""}
    </p>
  );
}
