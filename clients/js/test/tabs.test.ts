// Several tabs, one connection: one socket at a time, whoever dies; nothing lost, nothing doubled.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Konvert, type Message } from "../src/index.js";
import { shareTabs } from "../src/tabs/index.js";
import { Browser, type Tab } from "./support/browser.js";
import { FakeServer, seeded, wire } from "./support/fake.js";

let server: FakeServer;
let browser: Browser;
let opened: Konvert[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_795_230_000_000 });
  server = new FakeServer();
  browser = new Browser();
});
afterEach(async () => {
  for (const konvert of opened.splice(0)) await konvert.close();
  await vi.advanceTimersByTimeAsync(100);
  expect(server.open).toEqual([]);
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

interface Page {
  readonly tab: Tab;
  readonly konvert: Konvert;
  readonly heard: Message[];
  /** Its socket goes with it. */
  kill(): void;
}

/** @param wakes who wants to be told that the network came or went */
function openTab(seed = 1, token = "me", wakes = new Set<() => void>()): Page {
  const tab = browser.tab();
  const sockets: { end(code: number): void }[] = [];
  const accept = server.platform.webSocket as (url: string, subprotocol: string) => never;
  const platform = {
    ...server.platform,
    random: seeded(seed),
    onWake: (call: () => void) => {
      wakes.add(call);
      return () => wakes.delete(call);
    },
    after: (ms: number, call: () => void) => {
      const timer = setTimeout(() => tab.run(call), ms);
      return () => clearTimeout(timer);
    },
    webSocket: (url: string, subprotocol: string) => {
      if (tab.isDead) throw new Error("dead");
      const socket: { end(code: number): void } = accept(url, subprotocol);
      sockets.push(socket);
      return socket as never;
    },
  };
  const konvert = new Konvert("http://server", {
    token,
    platform,
    transports: ["websocket"],
    transport: shareTabs({ key: "me", locks: tab.locks, bus: tab.bus }),
  });
  opened.push(konvert);
  const heard: Message[] = [];
  konvert.room("r").on("message", (message) => heard.push(message));
  const kill = () => {
    tab.kill();
    opened = opened.filter((one) => one !== konvert);
    for (const socket of sockets) socket.end(1006);
  };
  return { tab, konvert, heard, kill };
}

const offsets = ({ heard }: Page) => heard.map(({ offset }) => offset);
const upTo = (count: number, from = 1) => Array.from({ length: count - from + 1 }, (_, i) => from + i);

test("three tabs, one socket; each begins where it wants and hears everything", async () => {
  for (let i = 1; i <= 12; i++) server.room("r").push(wire(i, `${i}`));
  const [a, b, c] = [openTab(1), openTab(2), openTab(3)];
  await a.konvert.room("r").subscribe({ last: 3 });
  await b.konvert.room("r").subscribe({ since: "start" });
  await c.konvert.room("r").subscribe();
  expect(server.sockets).toHaveLength(1);
  server.store("r", "other", "x", "13");
  await b.konvert.room("r").publish("14");
  await pass(10);
  expect(offsets(a)).toEqual([10, 11, 12, 13, 14]);
  expect(offsets(b)).toEqual(upTo(14));
  expect(offsets(c)).toEqual([13, 14]);
  expect((await c.konvert.room("r").page({ limit: 2 })).messages.map(({ offset }) => offset)).toEqual([13, 14]);
  const heard: string[] = [];
  a.konvert.room("r").on("signal", ({ sender }) => heard.push(sender));
  expect(await c.konvert.room("r").signal("x")).toBe(true);
  await pass(10);
  expect(heard).toEqual(["me"]);
});

test("the leader tells over what it is connected, the others that it is through a tab", async () => {
  const [a, b] = [openTab(1), openTab(2)];
  await a.konvert.ready();
  await b.konvert.ready();
  expect([a, b].map(({ konvert }) => konvert.state)).toMatchObject([{ transport: "websocket" }, { transport: "tabs" }]);
});

test("the leader dies: another takes over, and nobody misses or repeats anything", async () => {
  const [a, b, c] = [openTab(1), openTab(2), openTab(3)];
  for (const { konvert } of [a, b, c]) await konvert.room("r").subscribe();
  for (let i = 0; i < 5; i++) server.store("r", "other", `before ${i}`, "x");
  await pass(10);
  a.kill();
  const published = b.konvert.room("r").publish("in between");
  for (let i = 0; i < 5; i++) server.store("r", "other", `after ${i}`, "x");
  await pass(5_000);
  await published;
  server.store("r", "other", "last", "x");
  await pass(100);
  expect(offsets(b)).toEqual(upTo(12));
  expect(offsets(c)).toEqual(upTo(12));
  expect(server.open).toHaveLength(1);
  expect(server.sockets).toHaveLength(2);
  expect(new Set(server.room("r").map(({ messageId }) => messageId)).size).toBe(12);
});

test("a leader that closes hands over; a follower that dies is forgotten", async () => {
  const [a, b, c] = [openTab(1), openTab(2), openTab(3)];
  for (const { konvert } of [a, b, c]) await konvert.room("r").subscribe({ presence: true });
  await a.konvert.close();
  opened.splice(opened.indexOf(a.konvert), 1);
  await pass(1_000);
  server.store("r", "other", "x", "x");
  await pass(10);
  expect([offsets(b), offsets(c)]).toEqual([[1], [1]]);
  b.kill();
  await pass(5_000);
  server.store("r", "other", "y", "y");
  await pass(10);
  expect(offsets(c)).toEqual([1, 2]);
  c.konvert.room("r").unsubscribe();
  await pass(10);
  expect(server.open[0]?.attached.size).toBe(0);
});

test("whoever was the last to want presence is here no more, and the others miss nothing", async () => {
  const [a, b, c] = [openTab(1), openTab(2), openTab(3)];
  await a.konvert.room("r").subscribe();
  for (const { konvert } of [b, c]) await konvert.room("r").subscribe({ presence: true });
  const heard = () => server.sockets.flatMap(({ heard }) => heard);
  const present = () => heard().flatMap((frame) => (frame.type === "subscribe" ? [!!frame.value.presence] : []));
  b.konvert.room("r").unsubscribe();
  await pass(100);
  expect(present()).toEqual([false, true]);
  // Published while the hub asks anew.
  c.konvert.room("r").unsubscribe();
  server.store("r", "other", "x", "1");
  await pass(0);
  server.store("r", "other", "y", "2");
  await pass(100);
  expect(present()).toEqual([false, true, false]);
  // A tab that goes without a word is no other case; nor is one that comes again.
  await b.konvert.room("r").subscribe({ presence: true });
  expect(present()).toEqual([false, true, false, true]);
  b.kill();
  await pass(5_000);
  server.store("r", "other", "z", "3");
  await pass(100);
  expect(present()).toEqual([false, true, false, true, false]);
  expect(offsets(a)).toEqual([1, 2, 3]);
});

test("a frozen leader is replaced, and steps down when it wakes", async () => {
  const [a, b] = [openTab(1), openTab(2)];
  for (const { konvert } of [a, b]) await konvert.room("r").subscribe();
  a.tab.freeze();
  await pass(60_000);
  expect(b.konvert.state.name).toBe("connected");
  server.store("r", "other", "x", "x");
  await pass(10);
  expect(offsets(b)).toEqual([1]);
  a.tab.thaw();
  await pass(30_000);
  server.store("r", "other", "y", "y");
  await pass(10);
  expect([offsets(a), offsets(b)]).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(server.open).toHaveLength(1);
});

test("a lost connection is lost for all, and all come back over one", async () => {
  const pages = [openTab(1), openTab(2), openTab(3)];
  for (const { konvert } of pages) await konvert.room("r").subscribe();
  server.open[0]?.end(4001, "slow_consumer");
  for (let i = 0; i < 3; i++) server.store("r", "other", `${i}`, "x");
  await pass(10_000);
  for (const page of pages) {
    expect(page.konvert.state.name).toBe("connected");
    expect(offsets(page)).toEqual([1, 2, 3]);
  }
  expect(server.open).toHaveLength(1);
  server.open[0]?.end(4403, "revoked");
  await pass(1_000);
  for (const { konvert } of pages) expect(konvert.state).toMatchObject({ name: "closed", reason: { name: "revoked" } });
});

test("a network that goes is found out in seconds, by whoever leads and for all", async () => {
  const wakes = new Set<() => void>();
  const [one, two] = [openTab(1, "me", wakes), openTab(2, "me", wakes)];
  await pass(1_000);
  expect([one, two].map(({ konvert }) => konvert.state.name)).toEqual(["connected", "connected"]);
  server.faults = { noOpen: () => true, onCommand: (_, { type }) => type === "ping" };
  for (const wake of [...wakes]) wake();
  await pass(5_500);
  for (const { konvert } of [one, two]) expect(konvert.state.name).not.toBe("connected");
  server.faults = {};
  await pass(30_000);
  for (const { konvert } of [one, two]) expect(konvert.state.name).toBe("connected");
  for (const { konvert } of [one, two]) await konvert.close();
  expect(wakes.size).toBe(0);
});

test("a way that never answers is left for the next one", async () => {
  const asked: string[] = [];
  const tab = browser.tab();
  const konvert = new Konvert("http://server", {
    token: "me",
    platform: {
      ...server.platform,
      random: seeded(1),
      fetch: (url, { signal }) => {
        asked.push(new URL(url).pathname);
        return new Promise((_, reject) => (signal as AbortSignal).addEventListener("abort", () => reject(new Error("aborted"))));
      },
    },
    transports: ["sse", "poll"],
    transport: shareTabs({ key: "me", locks: tab.locks, bus: tab.bus }),
  });
  opened.push(konvert);
  await pass(60_000);
  expect(asked.slice(0, 2)).toEqual(["/api/sse", "/api/poll"]);
});

test("every tab knows when its token ends, also one that came later", async () => {
  server.faults.onSay = (frames) =>
    frames.map((frame) =>
      frame.type === "connected" ? { ...frame, value: { ...frame.value, timeMs: 5_000_000, tokenExpiresMs: 5_600_000 } } : frame,
    );
  const asked: string[] = [];
  const pages = [1, 2].map((n) => {
    const tab = browser.tab();
    const konvert = new Konvert("http://server", {
      getToken: ({ reason }) => {
        asked.push(`${n} ${reason}`);
        return "me";
      },
      platform: { ...server.platform, random: seeded(n), fetch: async () => ({ ok: true, text: async () => "" }) as never },
      connect: false,
      transports: ["websocket"],
      transport: shareTabs({ key: "me", locks: tab.locks, bus: tab.bus }),
    });
    opened.push(konvert);
    return konvert;
  });
  for (const konvert of pages) {
    konvert.connect();
    await pass(100_000);
  }
  for (const konvert of pages) await konvert.api.get("/x");
  expect(asked).toEqual(["1 connect", "2 connect"]);
  // 600 s after the first has connected, by the server's clock.
  await pass(400_000);
  for (const konvert of pages) await konvert.api.get("/x");
  expect(asked).toEqual(["1 connect", "2 connect", "1 connect", "2 connect"]);
});

test("the refusal of one tab's token is no word about another's", async () => {
  let hold = true;
  server.faults.onCommand = (socket, frame) => {
    if (frame.type !== "connect" || frame.value.token !== "old") return false;
    const value = { code: 201, name: "token_expired", message: "", temporary: false, retryAfterMs: 0, firstOffset: 0 };
    // Only when both tabs wait for the answer.
    void (async () => {
      while (hold) await new Promise((resolve) => setTimeout(resolve, 10));
      socket.say({ id: frame.id, type: "error", value });
      socket.end(4401);
    })();
    return true;
  };
  const asked: string[] = [];
  for (const [n, first] of [
    [1, "old"],
    [2, "new"],
  ] as const) {
    const tab = browser.tab();
    const konvert = new Konvert("http://server", {
      getToken: ({ reason, token }) => {
        asked.push(`${n} ${reason} ${token}`);
        return token ? "new" : first;
      },
      platform: { ...server.platform, random: seeded(n) },
      transports: ["websocket"],
      transport: shareTabs({ key: "me", locks: tab.locks, bus: tab.bus }),
    });
    opened.push(konvert);
    await pass(100);
  }
  hold = false;
  await pass(10_000);
  expect(opened.map(({ state }) => state.name)).toEqual(["connected", "connected"]);
  expect(asked).toEqual(["1 connect ", "2 connect ", "1 refused old"]);
});

test("what a refusal advises holds for all tabs, when it is not about a token", async () => {
  let refusals = 0;
  server.faults.onCommand = (socket, frame) => {
    if (frame.type !== "connect" || refusals) return false;
    refusals++;
    const value = { code: 502, name: "too_many_connections", message: "", temporary: true, retryAfterMs: 60_000, firstOffset: 0 };
    // Only when both tabs wait for the answer.
    setTimeout(() => {
      socket.say({ id: frame.id, type: "error", value });
      socket.end(4201);
    }, 1_000);
    return true;
  };
  const pages = [openTab(1, "one"), openTab(2, "two")];
  await pass(50_000);
  expect(server.sockets).toHaveLength(1);
  expect(pages.map(({ konvert }) => konvert.state.name)).toEqual(["waiting", "waiting"]);
  await pass(100_000);
  expect(server.open).toHaveLength(1);
});

test("a tab of another user is not let in on this one's connection", async () => {
  const claims = (sub: string) => `x.${btoa(JSON.stringify({ sub }))}.x`;
  const a = openTab(1, claims("alice"));
  server.faults.onSay = (frames) =>
    frames.map((frame) => (frame.type === "connected" ? { ...frame, value: { ...frame.value, user: "alice" } } : frame));
  await a.konvert.ready();
  const b = openTab(2, claims("bob"));
  await expect(b.konvert.ready()).rejects.toMatchObject({ name: "other_user" });
  expect(a.konvert.state.name).toBe("connected");
});

test("tabs come and go at random: once, in order, for everybody", async () => {
  for (let seed = 1; seed <= Number(process.env.SEEDS ?? 25); seed++) {
    const random = seeded(seed);
    server = new FakeServer();
    browser = new Browser();
    const pages: Page[] = [];
    const ids: string[] = [];
    let stored = 0;
    for (let i = 0; i < 40; i++) {
      const dice = random();
      const page = pages[Math.floor(random() * pages.length)];
      if (pages.length < 2 || (dice < 0.15 && pages.length < 5)) {
        const fresh = openTab(seed * 100 + i);
        void fresh.konvert.room("r").subscribe({ since: "start" });
        pages.push(fresh);
      } else if (dice < 0.25 && page) {
        page.kill();
        pages.splice(pages.indexOf(page), 1);
      } else if (dice < 0.3) server.open[0]?.end(4001);
      else if (dice < 0.7) server.store("r", "other", `other ${++stored}`, "x");
      else if (page) ids.push(page.konvert.room("r").publish("mine").messageId);
      await pass(random() * 2_000);
    }
    await pass(60_000);
    const log = server.room("r").map(({ messageId }) => messageId);
    expect(new Set(log).size, `seed ${seed}`).toBe(log.length);
    for (const page of pages) {
      expect(
        page.heard.map(({ messageId }) => messageId),
        `seed ${seed}`,
      ).toEqual(log);
      expect(page.konvert.outbox, `seed ${seed}`).toEqual([]);
    }
    expect(server.open, `seed ${seed}`).toHaveLength(Math.min(1, pages.length));
    for (const { konvert } of pages) await konvert.close();
    await pass(10);
  }
}, 300_000);
