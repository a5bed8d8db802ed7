import { type FoldedMessage, Message } from "@konvert/sdk";
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, it } from "vitest";
import { Shelf } from "../src/cache/shelf";
import { Memory } from "../src/model/memory";

const folded = (room: string, offset: number, text: string): FoldedMessage => {
  const payload = new TextEncoder().encode(text);
  const wire = {
    ...{ room, offset, sender: "boris", senderName: "Boris", messageId: `m${offset}`, timeMs: offset, kind: "message" as const, payload },
    ...{ relation: { kind: "reply" as const, offset: 1 }, ordinal: offset, erased: false, mentions: ["anna"], blobs: [] },
  };
  const reactions = [{ text: "👍", users: ["anna"], offsets: [9] }];
  return { message: new Message(wire, room, 7), payload, text, edited: true, deleted: false, reactions, replyTo: 1 };
};

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

it("remembers messages as they were, the newest ones", async () => {
  const all = Array.from({ length: 70 }, (_, i) => folded("r", i + 1, `text ${i + 1}`));
  await new Memory(new Shelf("anna")).keepRoom("r", all);
  const back = await new Memory(new Shelf("anna")).room("r");
  expect(back).toEqual(all.slice(10));
  expect(back[0]?.message).toBeInstanceOf(Message);
  expect(back[0]?.message.position).toEqual({ epoch: 7, offset: 11 });
});

it("remembers how far others have read", async () => {
  await new Memory(new Shelf("anna")).keepMarkers(
    "r",
    new Map([
      ["boris", 7],
      ["vera", 3],
    ]),
  );
  expect([...(await new Memory(new Shelf("anna")).markers("r"))]).toEqual([
    ["boris", 7],
    ["vera", 3],
  ]);
  const strange = new Memory({ get: async () => [null, 7, ["x"]], put: async () => {}, names: async () => [], delete: async () => {} });
  expect((await strange.markers("r")).size).toBe(0);
});

it("belongs to one user, and goes with them", async () => {
  const shelf = new Shelf("anna");
  await new Memory(shelf).keepList("dialogs", [{ id: "d" }]);
  expect(await new Memory(new Shelf("boris")).list("dialogs")).toEqual([]);
  await shelf.forget();
  expect(await new Memory(new Shelf("anna")).list("dialogs")).toEqual([]);
});

it("keeps so many rooms, those that were written last", async () => {
  const names: string[] = [];
  const values = new Map<string, unknown>();
  const memory = new Memory({
    get: async (name) => values.get(name),
    put: async (name, value) => {
      values.delete(name);
      values.set(name, value);
    },
    names: async (prefix) => [...values.keys()].filter((name) => name.startsWith(prefix)),
    delete: async (name) => {
      names.push(name);
      values.delete(name);
    },
  });
  await memory.keepList("dialogs", []);
  for (let i = 0; i < 32; i++) await memory.keepRoom(`r${i}`, []);
  expect(names).toEqual(["room r0", "markers r0", "room r1", "markers r1"]);
  expect(values.has("dialogs")).toBe(true);
});

it("shows nothing where nothing can be kept, or something else lies there", async () => {
  const broken = { get: async () => Promise.reject(new Error("no")), put: async () => Promise.reject(new Error("no")) };
  const memory = new Memory({ ...broken, names: broken.get, delete: broken.put });
  await memory.keepRoom("r", [folded("r", 1, "x")]);
  expect([await memory.list("dialogs"), await memory.room("r")]).toEqual([[], []]);
  const strange = new Memory({ get: async () => [null, 7], put: broken.put, names: broken.get, delete: broken.put });
  expect(await strange.room("r")).toEqual([]);
});
