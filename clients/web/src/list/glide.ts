// Rows that change places glide there, instead of jumping under somebody's finger.
//
// Knows places only, by what a row is of. Invariant: the order in the page is the new one at once; only the picture is
// late, by as long as a motion may take, and not at all for those who want none.
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const GLIDE_MS = 150;

/** @param order what changes whenever rows change places */
export function useGlide(list: RefObject<HTMLElement | null>, order: string): void {
  const places = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const rows = list.current?.querySelectorAll<HTMLElement>(":scope > [data-dialog]") ?? [];
    const now = new Map<string, number>();
    for (const row of rows) now.set(row.dataset.dialog ?? "", row.offsetTop);
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const row of rows) {
      const before = places.current.get(row.dataset.dialog ?? "");
      const by = before === undefined ? 0 : before - row.offsetTop;
      if (!by || isStill) continue;
      row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: GLIDE_MS, easing: "ease-out" });
    }
    places.current = now;
  }, [order]);
}
