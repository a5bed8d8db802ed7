// Outboxes that outlive their process: IndexedDB between tabs, a file between runs, and the real server in the end.
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IndexedDbStore } from "../src/indexeddb.js";
import { FileStore, Konvert, type Store, type StoredMessage } from "../src/node/index.js";
import { Browser } from "./support/browser.js";
import { FakeServer } from "./support/fake.js";
import { BINARY, hasServer, Server, until } from "./support/server.js";

const message = (id: string, createdMs = 1): StoredMessage => ({
  key: `r ${id}`,
  messageId: id,
  room: "r",
  user: "me",
  payload: Uint8Array.of(1, 255),
  kind: "message",
  relation: { kind: "reply", offset: 3 },
  mentions: ["bob"],
  blobs: [],
  createdMs,
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "konvert-store-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.each([
  [
    "IndexedDbStore",
    () => {
      const indexedDB = new IDBFactory();
      const browser = new Browser();
      return () => new IndexedDbStore({ indexedDB, locks: browser.tab().locks });
    },
  ],
  ["FileStore", () => () => new FileStore(join(directory, "deep", "outbox"))],
] as [string, () => () => Store][])("%s", (_, place) => {
  test("gives back, in order, what was put and not removed", async () => {
    const open = place();
    const first = open();
    expect(await first.load()).toEqual([]);
    for (const id of ["a", "b", "c", "d"]) await first.put(message(id));
    await first.put({ ...message("b"), user: "somebody" });
    await first.remove("r c");
    await first.set("guest", "token");
    expect(await first.load()).toEqual([]);
    first.close?.();
    const second = open();
    expect(await second.load()).toEqual([message("a"), { ...message("b"), user: "somebody" }, message("d")]);
    expect(await second.load()).toEqual([]);
    expect(await second.get("guest")).toBe("token");
    expect(await second.get("nothing")).toBeUndefined();
    await second.remove("r a");
    second.close?.();
    const third = open();
    expect((await third.load()).map(({ messageId }) => messageId)).toEqual(["b", "d"]);
    third.close?.();
  });
});

test("a tab's messages are taken over when it dies, and not before, and by one", async () => {
  const indexedDB = new IDBFactory();
  const browser = new Browser();
  const tabs = [browser.tab(), browser.tab(), browser.tab()] as const;
  const [a, b, c] = tabs.map(({ locks }) => new IndexedDbStore({ indexedDB, locks })) as [IndexedDbStore, IndexedDbStore, IndexedDbStore];
  await a.put(message("a"));
  expect(await b.load()).toEqual([]);
  tabs[0].kill();
  const taken = [...(await Promise.all([b.load(), c.load()]))].flat();
  expect(taken).toEqual([message("a")]);
});

test("without locks the next to start takes over what is there", async () => {
  const indexedDB = new IDBFactory();
  const first = new IndexedDbStore({ indexedDB });
  await first.put(message("a"));
  const second = new IndexedDbStore({ indexedDB });
  expect(await second.load()).toEqual([message("a")]);
});

test("a file cut off in the middle of a line keeps every line before, and does not grow for ever", async () => {
  const path = join(directory, "outbox");
  const first = new FileStore(path);
  await first.put(message("a"));
  first.close();
  appendFileSync(path, '{"put":{"key":"r b","mess');
  const second = new FileStore(path);
  expect(await second.load()).toEqual([message("a")]);
  for (let i = 0; i < 1_100; i++) {
    await second.put(message("x"));
    await second.remove("r x");
  }
  expect(readFileSync(path, "utf8").split("\n").length).toBeLessThan(1_500);
  second.close();
});

test("a tab that closes with messages on their way: the next tab sends them, once", async () => {
  const indexedDB = new IDBFactory();
  const browser = new Browser();
  const server = new FakeServer();
  server.faults.onSay = (frames) => frames.filter(({ type }) => type !== "published");
  const open = (tab = browser.tab()) => {
    const store = new IndexedDbStore({ indexedDB, locks: tab.locks });
    return { tab, konvert: new Konvert("http://server", { token: "me", store, platform: server.platform, transports: ["websocket"] }) };
  };
  const first = open();
  const ids = ["a", "b", "c"].map((text) => first.konvert.room("r").publish(text).messageId);
  await until(() => server.room("r").length === 1, "the first is stored, but not acknowledged");
  await until(async () => (await settled(indexedDB)) === 3, "all three are in the database");
  first.tab.kill();
  for (const socket of server.open) socket.close();
  server.faults = {};
  const second = open();
  await until(() => server.room("r").length === 3 && second.konvert.outbox.length === 0, "all are stored");
  expect(server.room("r").map(({ messageId }) => messageId)).toEqual(ids);
  await until(async () => (await settled(indexedDB)) === 0, "the database is empty");
  await second.konvert.close();
});

function settled(indexedDB: IDBFactory): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("konvert outbox", 1);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const count = request.result.transaction("messages").objectStore("messages").count();
      count.onsuccess = () => {
        request.result.close();
        resolve(count.result);
      };
    };
  });
}

describe.skipIf(!hasServer)("with a server", () => {
  test("a program killed while it publishes, again and again, has said everything once and in order", async () => {
    const server = await Server.start();
    try {
      const script = join(directory, "writer.mjs");
      await build({
        entryPoints: [new URL("support/writer.ts", import.meta.url).pathname],
        bundle: true,
        platform: "node",
        format: "esm",
        outfile: script,
      });
      const reader = new Konvert(server.url, { token: server.token("reader") });
      const heard: string[] = [];
      reader.room("r").on("message", ({ text }) => heard.push(text));
      const token = server.token("writer");
      const total = 300;
      for (let run = 0; ; run++) {
        const child = spawn(process.execPath, [script, server.url, join(directory, "outbox"), String(total)], {
          env: { ...process.env, TOKEN: token },
          stdio: ["ignore", "pipe", "inherit"],
        });
        const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
        let said = 0;
        // Killed after some more acks, wherever it is then; the last run may finish.
        child.stdout.on("data", (text: Buffer) => {
          said += text.toString().split("\n").length - 1;
          if (run < 4 && said >= 20 + run * 9) child.kill("SIGKILL");
        });
        if ((await ended) === 0) break;
        if (run === 1) {
          await server.kill();
          await server.restart();
        }
      }
      await reader.room("r").subscribe({ since: "start" });
      await until(() => heard.length >= total, "everything is there");
      expect(heard).toEqual(Array.from({ length: total }, (_, i) => String(i)));
      await reader.close();
      expect(BINARY).toContain("konvert");
    } finally {
      await server.remove();
    }
  });
});

test("what is written before the first connection belongs to the user who is known", async () => {
  const konvert = new Konvert("http://127.0.0.1:9", { user: "alice", token: "t", connect: false });
  expect(konvert.user).toBe("alice");
  void konvert.room("r").publish("written offline");
  expect(konvert.outbox.map(({ user }) => user)).toEqual(["alice"]);
  await konvert.close();
});
