// What people see of a room, whatever order its parts come in.
import { expect, test } from "vitest";
import { MemoryStore, type StoredMessage } from "../src/index.js";
import { pass, stage, staged, start, upTo } from "./support/stage.js";

staged();

test("an outbox that is read later than the room brings nothing twice, not even for a moment", async () => {
  // Stored by a tab that died before it knew.
  stage.server.store("r", "me", "m1", "once");
  const left: StoredMessage = {
    key: "r m1",
    messageId: "m1",
    room: "r",
    user: "me",
    payload: new TextEncoder().encode("once"),
    kind: "message",
    mentions: [],
    blobs: [],
    createdMs: 0,
  };
  class SlowStore extends MemoryStore {
    override async load(): Promise<readonly StoredMessage[]> {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return [left];
    }
  }
  const konvert = start({ store: new SlowStore() });
  const room = konvert.room("r");
  const view = room.view();
  const seen: string[] = [];
  view.on("change", () => seen.push([...view.items.map(({ text }) => text), ...view.pending.map(() => "pending")].join()));
  const subscribed = room.subscribe({ last: 10 });
  await pass(500);
  await subscribed;
  await pass(10_000);
  expect(new Set(seen)).toEqual(new Set(["once"]));
  expect(konvert.outbox).toEqual([]);
  expect(view.pending).toEqual([]);
});

test("goes far up at once, tells of the hole, and closes it", async () => {
  stage.server.pageSize = 10;
  for (const n of upTo(100)) stage.server.store("r", "a", `m${n}`, `${n}`);
  const room = start().room("r");
  const view = room.view();
  const offsets = () => view.items.map(({ message }) => message.offset);
  const subscribed = room.subscribe({ last: 5 });
  await pass(500);
  await subscribed;
  const up = view.around(40, 10);
  await pass(500);
  expect(await up).toBe(true);
  expect([offsets(), view.hole]).toEqual([[...upTo(44, 35), ...upTo(100, 96)], { after: 44, before: 96 }]);
  stage.server.store("r", "a", "m101", "101");
  await pass(500);
  expect(offsets().at(-1)).toBe(101);
  // Another place: what was brought before goes, there is one hole.
  const further = view.around(12, 10);
  await pass(500);
  expect(await further).toBe(true);
  expect([offsets(), view.hole]).toEqual([[...upTo(16, 7), ...upTo(101, 96)], { after: 16, before: 96 }]);
  while (view.hole) {
    const more = view.older(10);
    await pass(500);
    await more;
  }
  // What was above it is not read again.
  expect(offsets()).toEqual(upTo(101, 7));
  const rest = view.older(10);
  await pass(500);
  expect(await rest).toBe(false);
  expect(offsets()).toEqual(upTo(101));
});

test("a message that cannot be reached far up is told to be missing", async () => {
  stage.server.pageSize = 10;
  for (const n of upTo(30)) stage.server.store("r", "a", `m${n}`, `${n}`);
  const room = start().room("r");
  const view = room.view();
  const subscribed = room.subscribe({ last: 5 });
  await pass(500);
  await subscribed;
  expect(await view.around(31)).toBe(false);
  expect(await view.around(28)).toBe(true);
  expect(view.hole).toBe(null);
  const up = view.around(24, 10);
  await pass(500);
  // It reaches what is here: no hole.
  expect(await up).toBe(true);
  expect([view.items[0]?.message.offset, view.oldest, view.hole]).toEqual([19, 19, null]);
});

/** The last ten of a hundred, and twenty around the fortieth. */
async function withHole(max?: number) {
  stage.server.pageSize = 20;
  for (const n of upTo(100)) stage.server.store("r", "a", `m${n}`, `${n}`);
  const room = start().room("r");
  const view = room.view({ ...(max ? { max } : {}) });
  const subscribed = room.subscribe({ last: 10 });
  await pass(500);
  await subscribed;
  const up = view.around(40, 20);
  await pass(500);
  expect([await up, view.hole]).toEqual([true, { after: 49, before: 91 }]);
  return view;
}

test("what is let go leaves no hole that nobody tells of", async () => {
  const view = await withHole(20);
  stage.server.store("r", "a", "m101", "101");
  await pass(500);
  expect([view.items.map(({ message }) => message.offset), view.oldest, view.hole]).toEqual([upTo(101, 91), 91, null]);
  const more = view.older(5);
  await pass(500);
  expect(await more).toBe(true);
  expect(view.items.map(({ message }) => message.offset)).toEqual(upTo(101, 86));
});

test("a hole whose messages are not kept any more ends with what is above it", async () => {
  const view = await withHole();
  stage.server.first = 86;
  const more = view.older(20);
  await pass(500);
  expect([await more, view.hole]).toEqual([false, null]);
  expect(view.items.map(({ message }) => message.offset)).toEqual(upTo(100, 86));
});
