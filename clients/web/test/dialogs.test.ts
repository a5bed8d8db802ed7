import type { Api, ConnectionState, Konvert } from "@konvert/sdk";
import { beforeEach, expect, it } from "vitest";
import { Dialogs, saidLast, saidMs } from "../src/model/dialogs";
import { People } from "../src/model/people";
import type { Dialog, LastMessage } from "../src/model/resources";

const dialog = (id: string, more: Partial<Dialog> = {}): Dialog => ({
  ...{ id, kind: "group", mode: "server_readable", title: id, about: "", created_ms: 0, role: "member", member_count: 2 },
  ...{ position: { epoch: 1, offset: 0 }, first_offset: 1, activity_ms: 0, read_offset: 0, unread: 0, mentions: 0 },
  ...{ muted_until_ms: 0, pinned: false, archived: false, last_message: null },
  ...more,
});

/** A server that answers when told to, and pushes. */
class Fake {
  readonly listeners = new Map<string, (value: never) => void>();
  readonly asked: { path: string; archived: unknown; answer(body: unknown): void; fail(): void }[] = [];
  readonly api = {
    get: (path: string, options?: { query?: Record<string, unknown> }) =>
      new Promise((answer, reject) =>
        this.asked.push({ path, archived: options?.query?.archived, answer, fail: () => reject(new Error("no")) }),
      ),
  } as unknown as Api;
  readonly read: string[] = [];
  room(name: string) {
    return { markRead: async (offset: number) => void this.read.push(`${name} ${offset}`) };
  }
  /** A message of one's own was stored. */
  stored(room: string, offset: number) {
    this.listeners.get("outbox")?.({ room, state: "stored", published: { position: { epoch: 1n, offset } } } as never);
  }
  on(name: string, listener: (value: never) => void) {
    this.listeners.set(name, listener);
  }
  connected() {
    this.listeners.get("state")?.({ name: "connected" } as ConnectionState as never);
  }
  changed(path: string, body: unknown) {
    this.listeners.get("changed")?.({ path, body } as never);
  }
  /** Answers the oldest question once it is there. */
  async answer(body: unknown) {
    while (!this.asked.length) await Promise.resolve();
    this.asked.shift()?.answer(body);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

let fake: Fake;
let dialogs: Dialogs;
const ids = () => dialogs.list.value.map(({ id }) => id);

beforeEach(() => {
  fake = new Fake();
  dialogs = new Dialogs(fake as unknown as Konvert, new People(fake.api));
});

async function load(...items: Dialog[]) {
  fake.connected();
  await fake.answer({ items: items.filter(({ archived }) => !archived) });
  await fake.answer({ items: items.filter(({ archived }) => archived) });
}

it("reads page by page, and orders as the server does", async () => {
  fake.connected();
  await fake.answer({ items: [dialog("a", { activity_ms: 1 }), dialog("b", { activity_ms: 3 })], next: "more" });
  await fake.answer({ items: [dialog("c", { pinned: true }), dialog("d", { activity_ms: 2 })] });
  expect(dialogs.state.value).toBe("loading");
  await fake.answer({ items: [dialog("e", { archived: true })] });
  expect([dialogs.state.value, ids()]).toEqual(["ready", ["c", "b", "d", "a"]]);
  expect(dialogs.all.value.length).toBe(5);
});

it("follows what is told: changed, new, put away, gone", async () => {
  await load(dialog("a", { activity_ms: 1 }), dialog("b", { activity_ms: 2 }));
  fake.changed("/api/dialogs/a", dialog("a", { activity_ms: 9, unread: 3 }));
  fake.changed("/api/dialogs/c", dialog("c", { activity_ms: 5 }));
  expect([ids(), dialogs.unread.value]).toEqual([["a", "c", "b"], 3]);
  fake.changed("/api/dialogs/b", dialog("b", { archived: true }));
  fake.changed("/api/dialogs/a", null);
  fake.changed("/api/dialogs/a/members/acc-x", { role: "member" });
  expect(ids()).toEqual(["c"]);
});

it("does not keep what a dialog has no more", async () => {
  await load(dialog("a", { avatar: "hash" }));
  fake.changed("/api/dialogs/a", dialog("a"));
  expect(dialogs.get("a")?.avatar).toBe(undefined);
});

it("believes what was told while the list was being read", async () => {
  await load(dialog("a"), dialog("b"));
  fake.connected();
  fake.changed("/api/dialogs/a", dialog("a", { unread: 7 }));
  fake.changed("/api/dialogs/b", null);
  await fake.answer({ items: [dialog("a"), dialog("b"), dialog("c")] });
  await fake.answer({ items: [] });
  expect([ids(), dialogs.get("a")?.unread]).toEqual([["a", "c"], 7]);
});

it("asks for the rest where only a place was told", async () => {
  await load(dialog("a", { unread: 1 }), dialog("b", { activity_ms: 5 }));
  fake.changed("/api/dialogs/a", { id: "a", position: { epoch: 1, offset: 4 }, activity_ms: 9 });
  expect([ids(), dialogs.get("a")?.unread, fake.asked[0]?.path]).toEqual([["a", "b"], 1, "/api/dialogs/a"]);
  await fake.answer(dialog("a", { unread: 4, activity_ms: 9 }));
  expect(dialogs.get("a")?.unread).toBe(4);
});

it("counts only mentions of what is muted", async () => {
  await load(dialog("a", { unread: 5, mentions: 1, muted_until_ms: Number.MAX_SAFE_INTEGER }), dialog("b", { unread: 2 }));
  expect(dialogs.unread.value).toBe(3);
});

it("shows what an earlier session knew, until it is told better or worse", async () => {
  dialogs.recall([dialog("old")]);
  expect([dialogs.state.value, ids()]).toEqual(["ready", ["old"]]);
  await load(dialog("new"));
  expect(ids()).toEqual(["new"]);
});

it("says so when nothing could be read", async () => {
  fake.connected();
  fake.asked.shift()?.fail();
  await new Promise((resolve) => setTimeout(resolve));
  expect(dialogs.state.value).toBe("failed");
});

it("one's own words are read by whoever had read all before, and by nobody else", async () => {
  const at = (id: string, offset: number, unread: number) => dialog(id, { position: { epoch: 1, offset }, unread });
  await load(at("read", 4, 0), at("unread", 4, 1));
  // Several that waited for the network; the list tells of the first one meanwhile.
  fake.stored("read", 5);
  fake.changed("/api/dialogs/read", at("read", 5, 1));
  fake.stored("read", 6);
  fake.stored("read", 7);
  fake.stored("unread", 5);
  fake.stored("elsewhere", 5);
  expect(fake.read).toEqual(["read 5", "read 6", "read 7"]);
  // The list may have told of it before.
  fake.changed("/api/dialogs/unread", at("unread", 9, 1));
  fake.stored("unread", 9);
  expect(fake.read.at(-1)).toBe("unread 9");
});

it("tells what was said last, and when, whatever happened since", () => {
  const said = (more: Partial<LastMessage>): LastMessage => ({
    ...{ offset: 1, sender: "b", sender_name: "B", time_ms: 5, text: "", erased: false, kind: "message", blobs: [] },
    ...more,
  });
  expect(saidMs(dialog("a", { activity_ms: 9, last_message: said({}) }))).toBe(5);
  expect(saidMs(dialog("a", { activity_ms: 9 }))).toBe(9);
  const kinds = [{ text: "x" }, { blobs: ["f"] }, { payload: "AAEC" }, { erased: true, text: "x" }, { text: " " }, {}];
  expect(kinds.map((more) => saidLast(said(more)))).toEqual(["text", "file", "binary", "deleted", "nothing", "nothing"]);
});

it("knows what a dialog was that one is in no more", async () => {
  await load(dialog("a"), dialog("b"));
  fake.changed("/api/dialogs/a", null);
  expect([dialogs.get("a"), dialogs.left("a")?.title]).toEqual([undefined, "a"]);
  await load();
  expect([dialogs.get("b"), dialogs.left("b")?.title]).toEqual([undefined, "b"]);
  expect(dialogs.left("c")).toBe(undefined);
});
