// A conversation as rows from top to bottom: days, the line before what is new, messages in runs of one sender.
//
// Pure: what is drawn follows from messages, the unread mark and the time zone. Invariant: every message is one row, in
// the order it came in.

import { daysBetween } from "../words/times";
import type { Shown } from "./shown";

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly timeMs: number }
  | { readonly kind: "unread"; readonly key: string }
  /** `isFirst` and `isLast` of a run by one sender. */
  | { readonly kind: "message"; readonly key: string; readonly shown: Shown; readonly isFirst: boolean; readonly isLast: boolean };

/** A pause this long begins a new run, milliseconds. */
const RUN_PAUSE_MS = 5 * 60_000;

/** @param readOffset what was read when the conversation was opened; negative for no line */
export function rowsOf(messages: readonly Shown[], readOffset: number): readonly Row[] {
  const rows: Row[] = [];
  let isLineDrawn = readOffset < 0;
  let isBroken = true;
  messages.forEach((shown, i) => {
    const before = messages[i - 1];
    const isNewDay = !before || daysBetween(before.timeMs, shown.timeMs) > 0;
    if (isNewDay) rows.push({ kind: "day", key: `day ${shown.key}`, timeMs: shown.timeMs });
    const isUnread = shown.offset > readOffset && !shown.isOwn;
    const isLine = !isLineDrawn && isUnread;
    if (isLine) rows.push({ kind: "unread", key: "unread" });
    isLineDrawn ||= isLine;
    isBroken = isNewDay || isLine || !before || !isRun(before, shown);
    const after = messages[i + 1];
    // The line is drawn above the next one only when this one is read: then a run ends here too, which nobody sees.
    const isLast = !after || !isRun(shown, after) || daysBetween(shown.timeMs, after.timeMs) > 0;
    rows.push({ kind: "message", key: shown.key, shown, isFirst: isBroken, isLast });
  });
  return rows;
}

const isRun = (a: Shown, b: Shown) => a.sender === b.sender && b.timeMs - a.timeMs < RUN_PAUSE_MS;
