// How smoothly a page scrolls: the time between frames while the wheel turns, as the page's own frames tell it.
import type { Page } from "@playwright/test";

/** What was measured of one stretch of scrolling. */
export interface Frames {
  readonly count: number;
  /** Share of frames that came within one interval of a 60 Hz screen. */
  readonly inTime: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Most elements in the page, most rows in the conversation. */
  readonly elementsMax: number;
  readonly rowsMax: number;
  /** Looks at which the middle of the list showed nothing. */
  readonly blank: number;
  readonly looks: number;
}

/** One interval of a 60 Hz screen with slack for the clock's jitter; a missed frame takes twice an interval, 33 ms. */
const FRAME_MS = 16.7 + 4;

/** Turns the wheel over a point of a page, at `speed` pixels per second (up: negative), until `isDone` or so many pixels. */
export async function scroll(
  page: Page,
  { x, y, pixels, speed }: { x: number; y: number; pixels: number; speed: number },
  isDone: () => Promise<boolean>,
): Promise<Frames> {
  const session = await page.context().newCDPSession(page);
  await page.evaluate(
    ([x, y]) => {
      const told = { deltas: [] as number[], elements: 0, rows: 0, blank: 0, looks: 0, isOver: false };
      Object.assign(window, { measured: told });
      let before = 0;
      let frames = 0;
      const frame = (now: number) => {
        if (told.isOver) return;
        if (before) told.deltas.push(now - before);
        before = now;
        if (++frames % 15 === 0) {
          told.elements = Math.max(told.elements, document.getElementsByTagName("*").length);
          told.rows = Math.max(told.rows, document.querySelectorAll("[role=log] [data-message-id]").length);
          told.looks++;
          const hit = document.elementFromPoint(x, y);
          if (document.querySelector("[role=log]") && !hit?.closest("[role=log] *")) told.blank++;
        }
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    },
    [x, y] as const,
  );
  const step = Math.abs(speed) * 2 * Math.sign(pixels);
  for (let left = Math.abs(pixels); left > 0 && !(await isDone()); left -= Math.abs(step)) {
    await session.send("Input.synthesizeScrollGesture", {
      x,
      y,
      yDistance: -step,
      speed: Math.abs(speed),
      gestureSourceType: "mouse",
      preventFling: true,
    });
  }
  const { deltas, elements, rows, blank, looks } = await page.evaluate(() => {
    const told = (window as unknown as { measured: Told }).measured;
    told.isOver = true;
    return told;
  });
  await session.detach();
  const sorted = [...deltas].sort((a, b) => a - b);
  const at = (share: number) => Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 10) / 10;
  return {
    count: sorted.length,
    inTime: sorted.filter((ms) => ms <= FRAME_MS).length / sorted.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    longestMs: at(1),
    elementsMax: elements,
    rowsMax: rows,
    blank,
    looks,
  };
}

interface Told {
  deltas: number[];
  elements: number;
  rows: number;
  blank: number;
  looks: number;
  isOver: boolean;
}

/** A line for people. */
export function told(name: string, { count, inTime, medianMs, p99Ms, longestMs, elementsMax, rowsMax }: Frames): string {
  const share = (inTime * 100).toFixed(1);
  return `${name}: ${share} % of ${count} frames in time; median ${medianMs} ms, p99 ${p99Ms} ms, longest ${longestMs} ms; ${elementsMax} elements, ${rowsMax} rows at most`;
}
