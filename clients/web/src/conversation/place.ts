// Where in a conversation one is, and so which rows are in the page.
//
// Owns the scrolling element: its position follows a row that one looks at, whatever happens above or below it, or the
// end while one is there. Invariants: rows that can be seen are in the page, and not many more; nothing that one looks
// at moves but by one's own hand.
import { signal } from "@preact/signals";
import type { Row } from "../model/rows";
import { Heights } from "./heights";

/** This near to the end counts as at it, pixels. */
const NEAR_PX = 48;
/** Rows are put into the page this far beyond what is seen, and again before less than the second is left; pixels. */
const BEYOND_PX = 1_200;
const LEFT_PX = 500;

/** From the first to before the second. */
export type Span = readonly [from: number, to: number];

export class Place {
  readonly heights = new Heights();
  /** Counts up when other rows must be in the page. */
  readonly moved = signal(0);
  #scroller: HTMLElement | null = null;
  #list: HTMLElement | null = null;
  #rows: readonly Row[] = [];
  #span: Span = [0, 0];
  #isAtEnd = true;
  /** The row one looks at, and how far below the upper edge it begins. */
  #anchor = { key: "", below: 0 };
  /** Where we ourselves put it: that is no news. */
  #putTop = -1;
  #height = 800;

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** The elements, once they are there. */
  hold(scroller: HTMLElement | null, list: HTMLElement | null): void {
    this.#scroller = scroller;
    this.#list = list;
  }

  /** Which of these rows must be in the page. */
  span(rows: readonly Row[]): Span {
    this.#rows = rows;
    this.heights.put(rows);
    const top = this.#top();
    this.#span = rows.length ? [this.heights.at(top - BEYOND_PX), this.heights.at(top + this.#height + BEYOND_PX) + 1] : [0, 0];
    return this.#span;
  }

  /** The rows are in the page: measures them and keeps the place. */
  settle(): void {
    const [scroller, list] = [this.#scroller, this.#list];
    if (!scroller || !list) return;
    const { heights } = this;
    const [from, to] = this.#span;
    this.#height = scroller.clientHeight;
    heights.within(list.clientWidth);
    let i = from;
    for (const child of list.children) {
      const row = this.#rows[i++];
      if (row) heights.measure(row.key, child.getBoundingClientRect().height);
    }
    pad(list, "paddingTop", heights.top(from));
    pad(list, "paddingBottom", heights.total - heights.top(to));
    // What cannot be scrolled shows its end, whatever one was led to.
    if (scroller.clientHeight > 0 && scroller.scrollHeight <= scroller.clientHeight) this.#isAtEnd = true;
    const wanted = this.#isAtEnd ? scroller.scrollHeight - scroller.clientHeight : list.offsetTop + this.#top();
    if (Math.abs(scroller.scrollTop - wanted) < 1) return;
    scroller.scrollTop = wanted;
    this.#putTop = scroller.scrollTop;
    if (Math.abs(this.#putTop - wanted) < 1) return;
    // There is nothing to scroll to that far: what one looks at is elsewhere, and below it is nothing more.
    if (this.#putTop < wanted) this.#isAtEnd = true;
    else this.#take();
  }

  /** It was scrolled, or something changed its size: finds out where one is. Tells how far it is to both ends. */
  look(): { readonly above: number; readonly below: number } {
    const scroller = this.#scroller;
    if (!scroller) return { above: 0, below: 0 };
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    this.#height = clientHeight;
    const below = scrollHeight - scrollTop - clientHeight;
    if (Math.abs(scrollTop - this.#putTop) >= 1) {
      this.#isAtEnd = below < NEAR_PX;
      this.#putTop = -1;
      this.#take();
    }
    const top = scrollTop - this.#offset;
    const [from, to] = this.#span;
    const { heights } = this;
    const isShort =
      (from > 0 && heights.top(from) > top - LEFT_PX) || (to < this.#rows.length && heights.top(to) < top + clientHeight + LEFT_PX);
    if (isShort) this.moved.value++;
    return { above: scrollTop, below };
  }

  /** To the end when rows are drawn next, and with it from now on. */
  stay(): void {
    this.#isAtEnd = true;
  }

  /** The same at once. */
  toEnd(): void {
    this.stay();
    this.moved.value++;
  }

  /** To a row, shown so far below the upper edge, when rows are drawn next. Tells whether it is there. */
  to(key: string, below = this.#height / 3): boolean {
    if (this.heights.indexOf(key) < 0) return false;
    this.#isAtEnd = false;
    this.#anchor = { key, below };
    return true;
  }

  /** Whether a row is above what is seen, below it, or in sight. */
  side(key: string): -1 | 0 | 1 {
    const index = this.heights.indexOf(key);
    const top = (this.#scroller?.scrollTop ?? 0) - this.#offset;
    if (this.heights.top(index + 1) < top) return -1;
    return this.heights.top(index) > top + this.#height ? 1 : 0;
  }

  /** The last row of which all but a little is seen. */
  lastSeen(): Row | undefined {
    const bottom = (this.#scroller?.scrollTop ?? 0) - this.#offset + this.#height;
    const index = this.heights.at(bottom);
    return this.#rows[this.heights.top(index + 1) <= bottom + NEAR_PX ? index : index - 1];
  }

  /** Takes as what one looks at the first message in sight. */
  #take(): void {
    const top = (this.#scroller?.scrollTop ?? 0) - this.#offset;
    let index = this.heights.at(top);
    // Days and lines come and go with what is above them.
    while (index < this.#rows.length - 1 && this.#rows[index]?.kind !== "message") index++;
    this.#anchor = { key: this.#rows[index]?.key ?? "", below: this.heights.top(index) - top };
  }

  /** Where the upper edge is, below the beginning of the first row. */
  #top(): number {
    const index = this.heights.indexOf(this.#anchor.key);
    if (this.#isAtEnd || index < 0) return this.heights.total - this.#height;
    return this.heights.top(index) - this.#anchor.below;
  }

  /** What stands above the rows. */
  get #offset(): number {
    return this.#list?.offsetTop ?? 0;
  }
}

function pad(element: HTMLElement, side: "paddingTop" | "paddingBottom", height: number): void {
  const text = `${Math.max(0, Math.round(height * 100) / 100)}px`;
  if (element.style[side] !== text) element.style[side] = text;
}
