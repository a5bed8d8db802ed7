// A conversation as rows from top to bottom: days, the line before what is new, messages in runs of one sender.
//
// Pure: what is drawn follows from messages, the unread mark, what is missing between them and the time zone. Invariants: every message is one row, in
// the order it came in; a row that says the same as before is the same object, so that it is not drawn again.

import type { Hole } from "@konvert/sdk";
import type { Shown } from "./shown";

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly timeMs: number }
  | { readonly kind: "unread"; readonly key: string }
  /** What is between is on its way. */
  | { readonly kind: "hole"; readonly key: string }
  /** `isFirst` and `isLast` of a run by one sender. */
  | MessageRow;

export interface MessageRow {
  readonly kind: "message";
  readonly key: string;
  readonly shown: Shown;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** A pause this long begins a new run, milliseconds. */
const RUN_PAUSE_MS = 5 * 60_000;

/** Rows as they were drawn last, by their message. */
const drawn = new WeakMap<Shown, MessageRow>();

/** @param readOffset what was read when the conversation was opened; negative for no line */
export function rowsOf(messages: readonly Shown[], readOffset: number, hole: Hole | null = null): readonly Row[] {
  const rows: Row[] = [];
  const isOneDay = days();
  let isLineDrawn = readOffset < 0;
  let isNewDay = true;
  messages.forEach((shown, i) => {
    const before = messages[i - 1];
    const after = messages[i + 1];
    const isBehindHole = isAcross(before, shown, hole);
    if (isBehindHole) rows.push({ kind: "hole", key: "hole" });
    if (isNewDay) rows.push({ kind: "day", key: `day ${shown.key}`, timeMs: shown.timeMs });
    const isLine = !isLineDrawn && shown.offset > readOffset && !shown.isOwn;
    if (isLine) rows.push({ kind: "unread", key: "unread" });
    isLineDrawn ||= isLine;
    const isFirst = isNewDay || isLine || isBehindHole || !before || !isRun(before, shown);
    isNewDay = !!after && !isOneDay(shown.timeMs, after.timeMs);
    // The line is drawn above the next one only when this one is read: then a run ends here too, which nobody sees.
    const isLast = !after || isNewDay || !isRun(shown, after) || isAcross(shown, after, hole);
    rows.push(rowOf(shown, isFirst, isLast));
  });
  return rows;
}

function rowOf(shown: Shown, isFirst: boolean, isLast: boolean): MessageRow {
  const held = drawn.get(shown);
  if (held && held.isFirst === isFirst && held.isLast === isLast) return held;
  const row: MessageRow = { kind: "message", key: shown.key, shown, isFirst, isLast };
  drawn.set(shown, row);
  return row;
}

const isAcross = (before: Shown | undefined, after: Shown, hole: Hole | null) =>
  !!hole && !!before && before.offset <= hole.after && (after.offset >= hole.before || !after.offset);

const isRun = (a: Shown, b: Shown) => a.sender === b.sender && b.timeMs - a.timeMs < RUN_PAUSE_MS;

/** Whether a later moment is of the same day, or of an earlier one. Most are of the day that was asked for before. */
function days(): (earlier: number, later: number) => boolean {
  let begins = 0;
  let ends = 0;
  return (earlier, later) => {
    if (earlier < begins || earlier >= ends) {
      begins = new Date(earlier).setHours(0, 0, 0, 0);
      // A day with a change of the clock has 23 or 25 hours.
      ends = new Date(begins).setHours(24, 0, 0, 0);
    }
    return later < ends;
  };
}
