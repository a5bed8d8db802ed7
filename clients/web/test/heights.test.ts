import { describe, expect, it } from "vitest";
import { Heights } from "../src/conversation/heights";
import { rowsOf } from "../src/model/rows";
import { message } from "./support/message";

const rows = (count: number, first = 1) =>
  rowsOf(
    Array.from({ length: count }, (_, i) => message(first + i, i % 2 ? "anna" : "me", i)),
    -1,
  );

describe("heights", () => {
  it("stands every row below the one before, and finds it there", () => {
    const heights = new Heights();
    const all = rows(200);
    heights.put(all);
    for (let i = 0; i < all.length; i++) {
      expect(heights.top(i + 1)).toBeGreaterThan(heights.top(i));
      expect(heights.at(heights.top(i))).toBe(i);
      expect(heights.at(heights.top(i + 1) - 0.5)).toBe(i);
    }
    expect(heights.total).toBe(heights.top(all.length));
    expect([heights.at(-10), heights.at(heights.total + 10)]).toEqual([0, all.length - 1]);
  });

  it("puts what was measured in place of the guess, and moves what is below by the difference", () => {
    const heights = new Heights();
    heights.put(rows(10));
    const before = Array.from({ length: 12 }, (_, i) => heights.top(i));
    const key = rows(10)[4]?.key ?? "";
    expect(heights.measure(key, 500)).toBe(true);
    expect(heights.measure(key, 500)).toBe(false);
    const moved = 500 - ((before[5] ?? 0) - (before[4] ?? 0));
    expect(heights.top(4)).toBe(before[4]);
    expect(heights.top(5)).toBeCloseTo((before[5] ?? 0) + moved);
    expect(heights.total).toBeCloseTo((before[11] ?? 0) + moved);
  });

  it("keeps what was measured when older rows come in above", () => {
    const heights = new Heights();
    const later = rows(10, 100);
    heights.put(later);
    const key = later.at(-1)?.key ?? "";
    heights.measure(key, 321);
    heights.put([...rows(50), ...later]);
    const index = heights.indexOf(key);
    expect(heights.top(index + 1) - heights.top(index)).toBe(321);
  });

  it("guesses anew when the width changes", () => {
    const heights = new Heights();
    const all = rowsOf([message(1, "anna", 0, { text: "word ".repeat(200) })], -1);
    heights.put(all);
    heights.within(800);
    heights.measure(all[1]?.key ?? "", 7);
    heights.within(300);
    expect(heights.top(2) - heights.top(1)).toBeGreaterThan(200);
  });

  it("guesses more for a longer text, but no more than what is shown folded", () => {
    const height = (text: string) => {
      const heights = new Heights();
      heights.within(700);
      heights.put(rowsOf([message(1, "anna", 0, { text })], -1));
      return heights.total;
    };
    expect(height("word ".repeat(100))).toBeGreaterThan(height("word"));
    expect(height("\n".repeat(60_000))).toBeLessThan(500);
  });
});
