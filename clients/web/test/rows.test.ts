import { describe, expect, it } from "vitest";
import { rowsOf } from "../src/model/rows";
import { type Shown, ticksOf } from "../src/model/shown";
import { message } from "./support/message";

/** Rows in short: `day`, `unread`, or the offset with `[` where a run begins and `]` where it ends. */
const drawn = (messages: readonly Shown[], readOffset = -1) =>
  rowsOf(messages, readOffset).map((row) =>
    row.kind === "message" ? `${row.isFirst ? "[" : ""}${row.shown.offset}${row.isLast ? "]" : ""}` : row.kind,
  );

describe("rows", () => {
  it("gathers runs of one sender", () => {
    expect(drawn([message(1, "anna", 0), message(2, "anna", 1), message(3, "me", 2), message(4, "anna", 3)])).toEqual([
      ...["day", "[1", "2]", "[3]", "[4]"],
    ]);
  });

  it("begins a new run after a pause, and on a new day", () => {
    expect(drawn([message(1, "anna", 0), message(2, "anna", 6), message(3, "anna", 12 * 60 + 1)])).toEqual([
      "day",
      "[1]",
      "[2]",
      "day",
      "[3]",
    ]);
  });

  it("says where something is missing, and joins nothing across that", () => {
    const messages = [message(1, "anna", 0), message(2, "anna", 1), message(9, "anna", 2), message(10, "anna", 3)];
    const rows = rowsOf(messages, -1, { after: 3, before: 8 }).map((row) => (row.kind === "message" ? row.shown.offset : row.kind));
    expect(rows).toEqual(["day", 1, 2, "hole", 9, 10]);
    const [, , last, , first] = rowsOf(messages, -1, { after: 3, before: 8 });
    expect([last, first]).toMatchObject([{ isLast: true }, { isFirst: true }]);
  });

  it("draws one line, before the first message of others that was not read", () => {
    const messages = [message(1, "anna", 0), message(2, "me", 1), message(3, "anna", 2), message(4, "anna", 3)];
    expect(drawn(messages, 1)).toEqual(["day", "[1]", "[2]", "unread", "[3", "4]"]);
    expect(drawn(messages, 3)).toEqual(["day", "[1]", "[2]", "[3", "unread", "[4]"]);
    expect(drawn(messages, 4)).not.toContain("unread");
    expect(drawn(messages, -1)).not.toContain("unread");
  });

  it("keeps a row that says the same, when others come in above", () => {
    const messages = [message(4, "anna", 0), message(5, "me", 1), message(6, "me", 2)];
    const before = rowsOf(messages, -1);
    const after = rowsOf([message(3, "anna", -60), ...messages], -1);
    expect(after.at(-1)).toBe(before.at(-1));
    expect(after.at(-2)).toBe(before.at(-2));
    // Another day begins elsewhere, and with the first of them a run does not begin any more.
    expect(rowsOf([message(3, "me", 0), ...messages.slice(1)], -1).at(-2)).not.toBe(before.at(-2));
  });

  it("keeps the key of a message that becomes stored", () => {
    const key = (shown: Shown) => rowsOf([shown], -1)[1]?.key;
    expect(key(message(0, "me", 0, { key: "me a" }))).toBe(key(message(7, "me", 0, { key: "me a" })));
  });
});

describe("ticks", () => {
  it("tells how far a message has come", () => {
    const at = (state: Shown["state"], offset: number) => ticksOf({ state, offset }, 5, 7);
    expect([at("pending", 0), at("failed", 0), at("stored", 5), at("stored", 7), at("stored", 8)]).toEqual([
      ...["pending", "failed", "read", "delivered", "stored"],
    ]);
  });
});
