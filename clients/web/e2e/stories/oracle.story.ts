// The negative controls: an oracle that finds no fault in a faulty list proves nothing.
import { expect, test } from "@playwright/test";
import type { Stored } from "../support/api.ts";
import { fold, historyFaults, listFaults, type Shown, saidFaults, stretchFaults } from "../support/oracle.ts";

const stored = (offset: number, text: string, more: Partial<Stored> = {}): Stored => ({
  offset,
  message_id: `m${offset}`,
  sender: offset % 2 ? "anna" : "boris",
  text,
  ...more,
});
const history: Stored[] = [
  stored(1, "one"),
  stored(2, "two"),
  stored(3, "👍", { relation: { kind: "reaction", offset: 1 } }),
  stored(4, "TWO", { relation: { kind: "edit", offset: 2 } }),
  stored(5, "five"),
  stored(6, "joined", { kind: "service" }),
  stored(7, "seven", { relation: { kind: "reply", offset: 1 } }),
  stored(8, "eight"),
];
const right = fold(history);

test("what people see of a history", () => {
  expect(right.map(({ offset, text }) => [offset, text])).toEqual([
    [1, "one"],
    [2, "TWO"],
    [5, "five"],
    [7, "seven"],
    [8, "eight"],
  ]);
  expect(historyFaults(history)).toEqual([]);
  expect(listFaults(right, right)).toEqual([]);
  expect(stretchFaults(right.slice(1, 3), right)).toEqual([]);
});

const wrongs: [string, (list: Shown[]) => void, RegExp][] = [
  ["one is missing", (list) => list.splice(2, 1), /^lost: 5/],
  ["the first is missing", (list) => list.shift(), /^lost: 1/],
  ["the last is missing", (list) => list.pop(), /^lost: 8/],
  ["one is doubled", (list) => list.splice(2, 0, { ...(list[2] as Shown) }), /^doubled: 5/],
  ["one is doubled under another id", (list) => list.splice(2, 0, { ...(list[2] as Shown), id: "x" }), /^another id: 5/],
  ["two are swapped", (list) => list.splice(1, 2, list[2] as Shown, list[1] as Shown), /^out of order: 2/],
  ["one says something else", (list) => list.splice(0, 1, { ...(list[0] as Shown), text: "ones" }), /^altered: 1/],
  ["an edit is missing", (list) => list.splice(1, 1, { ...(list[1] as Shown), text: "two" }), /^altered: 2/],
  ["one is not stored", (list) => list.push({ id: "m9", text: "nine" }), /^not stored/],
  ["one was never said", (list) => list.push({ id: "m9", offset: 9, text: "nine" }), /^never said: 9/],
  ["one is shown as deleted", (list) => list.splice(0, 1, { ...(list[0] as Shown), isErased: true }), /^erased only here: 1/],
];
for (const [name, spoil, fault] of wrongs) {
  test(`it is a fault when ${name}`, () => {
    const list = [...right];
    spoil(list);
    const faults = listFaults(list, right);
    expect(
      faults.some((one) => fault.test(one)),
      faults.join("\n"),
    ).toBe(true);
  });
}

test("what was said and what is stored", () => {
  const said = ["one", "five", "seven"];
  const plain = [stored(1, "one"), stored(2, "two"), stored(3, "five"), stored(5, "seven")];
  expect(saidFaults(said, plain, "anna")).toEqual([]);
  expect(saidFaults([...said, "nine"], plain, "anna")).toEqual(['said and never stored: "nine"']);
  expect(saidFaults(said, [...plain, stored(7, "one")], "anna")).toEqual(['said 1 times, stored 2 times: "one"']);
  expect(saidFaults(["five", "one", "seven"], plain, "anna")[0]).toMatch(/another order/);
  expect(saidFaults(["one", "five"], plain, "anna")).toEqual(['stored and never said: "seven"']);
  expect(historyFaults(plain)).toContain("stored: 5 stands where 4 should");
  expect(historyFaults([stored(1, "a"), stored(2, "b", { sender: "anna", message_id: "m1" })])[0]).toMatch(/twice/);
});
