// How high the rows of a conversation are, and so where each of them stands: measured ones exactly, others by a guess.
//
// Pure: knows no page. Invariants: a row that was measured keeps its height until it is measured again or the width
// changes; where a row stands is the sum of what is above it.
import type { Row } from "../model/rows";
import type { Shown } from "../model/shown";

/** How rows look, for the guess of those that nobody has seen yet; pixels. */
const DAY_PX = 45;
const LINE_PX = 44;
const PAPER_PX = 20;
const FIRST_PX = 9;
const NAME_PX = 18;
const TEXT_PX = 24;
const CHARACTER_PX = 8;
const PAPER_MAX_PX = 545;
const REACTIONS_PX = 34;
const QUOTE_PX = 50;
const FILE_PX = 64;
/** What is longer is folded up. */
const LINES_MAX = 14;

export class Heights {
  readonly #measured = new Map<string, number>();
  #rows: readonly Row[] = [];
  #index = new Map<string, number>();
  #heights = new Float64Array(0);
  #tops = new Float64Array(1);
  /** Tops up to that of this row hold. */
  #summed = 0;
  #width = 0;

  /** Of all rows together. */
  get total(): number {
    return this.top(this.#rows.length);
  }

  /** These are the rows now. */
  put(rows: readonly Row[]): void {
    if (rows === this.#rows) return;
    this.#rows = rows;
    this.#index = new Map(rows.map(({ key }, i) => [key, i]));
    this.#guess();
  }

  /** The width that there is; another one makes all heights guesses again. */
  within(width: number): void {
    if (width === this.#width) return;
    this.#width = width;
    this.#measured.clear();
    this.#guess();
  }

  /** A row is so high; whether that is news. */
  measure(key: string, height: number): boolean {
    if (Math.abs((this.#measured.get(key) ?? -1) - height) < 0.05) return false;
    this.#measured.set(key, height);
    const index = this.indexOf(key);
    if (index < 0) return true;
    this.#heights[index] = height;
    this.#summed = Math.min(this.#summed, index);
    return true;
  }

  /** Which place a row has; -1 when it is not there. */
  indexOf(key: string): number {
    return this.#index.get(key) ?? -1;
  }

  /** Where a row begins, below the beginning of the first; of the place behind the last: where all end. */
  top(index: number): number {
    for (; this.#summed < index && this.#summed < this.#rows.length; this.#summed++) {
      this.#tops[this.#summed + 1] = (this.#tops[this.#summed] ?? 0) + (this.#heights[this.#summed] ?? 0);
    }
    return this.#tops[Math.max(0, Math.min(index, this.#rows.length))] ?? 0;
  }

  /** The row at a height; the first or the last where there is none. */
  at(y: number): number {
    let low = 0;
    let high = this.#rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.top(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #guess(): void {
    this.#heights = Float64Array.from(this.#rows, (row) => this.#measured.get(row.key) ?? guess(row, this.#width));
    this.#tops = new Float64Array(this.#rows.length + 1);
    this.#summed = 0;
  }
}

function guess(row: Row, width: number): number {
  if (row.kind === "day") return DAY_PX;
  if (row.kind === "unread" || row.kind === "hole") return LINE_PX;
  const { shown, isFirst } = row;
  const line = Math.max(10, (Math.min(PAPER_MAX_PX, (width || PAPER_MAX_PX) * 0.85) - 26) / CHARACTER_PX);
  return (
    PAPER_PX +
    (isFirst ? FIRST_PX + (shown.isOwn ? 0 : NAME_PX) : 0) +
    linesOf(shown, line) * TEXT_PX +
    (shown.replyTo ? QUOTE_PX : 0) +
    (shown.reactions.length ? REACTIONS_PX : 0) +
    shown.blobs.length * FILE_PX
  );
}

function linesOf({ text }: Shown, line: number): number {
  let lines = 0;
  let from = 0;
  while (lines < LINES_MAX) {
    const to = text.indexOf("\n", from);
    const end = to < 0 ? text.length : to;
    // The time stands behind the last line.
    lines += Math.max(1, Math.ceil((end - from + (to < 0 ? 8 : 0)) / line));
    if (to < 0) break;
    from = to + 1;
  }
  return Math.min(lines, LINES_MAX);
}
