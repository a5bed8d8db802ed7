// What people see of a room, whatever order its parts come in.
import { expect, test } from "vitest";
import { MemoryStore, type StoredMessage } from "../src/index.js";
import { pass, stage, staged, start } from "./support/stage.js";

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
