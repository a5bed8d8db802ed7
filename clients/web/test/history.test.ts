// What of a room's history is here, and in which order more of it is asked for.
import type { HistoryOptions, HistoryPage, Message, Room } from "@konvert/sdk";
import { beforeEach, expect, it } from "vitest";
import { RoomView } from "../../js/src/core/view";
import { History } from "../src/model/conversation_history";

const COUNT = 1_000;
/** An edit: it takes a place, and is no message. */
const EDIT = 100;

const stored = (offset: number) => {
  const relation = offset === EDIT ? { kind: "edit", offset: 90 } : undefined;
  const said = { payload: new TextEncoder().encode(`${offset}`), text: `${offset}`, mentions: [], blobs: [] };
  return {
    ...said,
    offset,
    relation,
    room: "r",
    sender: "a",
    messageId: `m${offset}`,
    kind: "message",
    erased: false,
  } as unknown as Message;
};
const between = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => stored(from + i));
/** Everything that can be done without another answer has been done. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** What was asked, in order. */
let asked: string[];
/** Answers to questions for what is older; they wait here. */
let held: (() => void)[];
let history: History;
let close: () => void;

beforeEach(() => {
  asked = [];
  held = [];
  let tell: (message: Message) => void = () => {};
  const room = {
    firstOffset: 1,
    position: { epoch: 1, offset: COUNT },
    pending: [],
    on: (name: string, listener: (message: Message) => void) => {
      if (name === "message") tell = listener;
      return () => {};
    },
    async page({ direction = "backward", from = COUNT, limit = 0 }: HistoryOptions): Promise<HistoryPage> {
      asked.push(`${direction} ${from}`);
      if (direction === "forward") return { messages: between(from, from + limit - 1), more: true, firstOffset: 1 };
      await new Promise<void>((resolve) => held.push(resolve));
      const first = Math.max(1, from - limit + 1);
      return { messages: between(first, from), more: first > 1, firstOffset: 1 };
    },
    view: () => new RoomView(room as unknown as Room),
  };
  history = new History(room as unknown as Room);
  close = history.open();
  for (const message of between(951, COUNT)) tell(message);
});

it("goes to what is far up at once, and reads what is between afterwards", async () => {
  expect(await history.reach(200)).toBe(true);
  await settled();
  expect(asked).toEqual(["forward 150", "backward 950"]);
  expect([history.get(200)?.text, history.hole.value]).toEqual(["200", { after: 249, before: 951 }]);
  while (history.hole.value) {
    held.shift()?.();
    await settled();
  }
  expect(history.snapshot.value.items.map(({ message }) => message.offset)).toEqual(between(150, COUNT).map(({ offset }) => offset));
});

it("goes at once to a place that is no message, too", async () => {
  const there = history.reach(EDIT);
  await settled();
  expect(await Promise.race([there, "waits for what is between"])).toBe(true);
});

it("asks for nothing more when nobody looks", async () => {
  void history.reach(200);
  await settled();
  close();
  held.shift()?.();
  await settled();
  expect(asked).toEqual(["forward 150", "backward 950"]);
});
