// In Chromium, against the real server: what the fakes of locks, channels and storage stand for is so in a browser.
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Konvert } from "../src/node/index.js";
import { Cable } from "./support/cable.js";
import { faultsOf, hasChromium, launch } from "./support/chromium.js";
import { hasServer, Server, until } from "./support/server.js";
import { Site } from "./support/site.js";
import type { Tab } from "./support/tab.js";

declare const tab: Tab;

describe.skipIf(!hasServer || !hasChromium)("with a server and a browser", () => {
  let site: Site;
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let cable: Cable;
  let boris: Konvert;
  let name = "";
  let faults: string[] = [];

  beforeAll(async () => {
    site = await Site.of(readFileSync(new URL("support/tab.ts", import.meta.url), "utf8"));
    server = await Server.start(site.setting);
    browser = await launch();
  });
  beforeEach(async ({ task }) => {
    name = task.id;
    faults = [];
    await until(async () => (await connections()) === 0, "those of the test before are gone");
    cable = await Cable.to(server.url);
    context = await browser.newContext();
    boris = new Konvert(server.url, { token: server.token("boris"), connect: false });
  });
  afterEach(async () => {
    await context.close();
    await boris.close();
    await cable.end();
    expect(faults).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.remove();
    await site?.end();
  });

  async function open(...flags: ("memory" | "alone" | "forgetful")[]): Promise<Page> {
    const page = await context.newPage();
    faultsOf(page, faults);
    const asked = new URLSearchParams({ server: cable.url, token: server.token("anna"), room: name });
    for (const flag of flags) asked.set(flag, "");
    await page.goto(`${site.url}/?${asked}`);
    return page;
  }

  const isAttached = (page: Page) => until(() => page.evaluate(() => tab.room.state === "attached"), "the tab is in the room");
  const heardBy = (page: Page) => page.evaluate(() => tab.heard);
  const texts = async (page: Page) => (await heardBy(page)).map(({ text }) => text);

  /** Says something in a tab, and waits for no more than its being kept there. */
  async function write(page: Page, ...said: string[]): Promise<void> {
    await page.evaluate(async (all) => {
      for (const text of all) void tab.room.publish(text).catch(() => {});
      await tab.konvert.flushed();
    }, said);
  }

  /** Everything that the server keeps of the room. */
  async function stored(): Promise<string[]> {
    boris.connect();
    const all: string[] = [];
    for await (const { text } of boris.room(name).history({ direction: "forward" })) all.push(text);
    return all;
  }

  /** Connections that the server counts. */
  async function connections(): Promise<number> {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^konvert_connections (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  }

  /** Ends a tab's process, as a crash does. */
  async function crash(page: Page): Promise<void> {
    const session = await context.newCDPSession(page);
    const crashed = page.waitForEvent("crash");
    void session.send("Page.crash").catch(() => {});
    await crashed;
    await page.close();
  }

  test("a tab is closed with unsent messages, and opened again: they are sent, once", async () => {
    const first = await open();
    await isAttached(first);
    cable.pull();
    await write(first, "one", "two", "three");
    await first.close();
    cable.mend();
    expect(await stored()).toEqual([]);
    const second = await open();
    await until(async () => (await stored()).length >= 3, "what was left is sent");
    await write(second, "four");
    await until(() => second.evaluate(() => tab.konvert.outbox.length === 0), "nothing waits");
    expect(await stored()).toEqual(["one", "two", "three", "four"]);
  });

  test("a tab crashes with messages that were stored and never acknowledged: the next tab changes nothing", async () => {
    const first = await open();
    await isAttached(first);
    cable.deafen();
    await write(first, "one", "two");
    await until(async () => (await stored()).length >= 1, "the server has the first");
    await crash(first);
    cable.pull();
    cable.mend();
    const second = await open();
    await until(async () => (await stored()).length >= 2, "what was left is sent");
    await until(() => second.evaluate(() => tab.konvert.outbox.length === 0), "nothing waits");
    expect(await stored()).toEqual(["one", "two"]);
  });

  test("another tab that is open takes over what a closed one has left", async () => {
    const [first, second] = [await open(), await open()];
    await Promise.all([first, second].map(isAttached));
    cable.pull();
    await write(second, "of the second");
    await write(first, "of the first");
    await first.close();
    cable.mend();
    await until(async () => (await stored()).length >= 2, "both are sent");
    await until(() => second.evaluate(() => tab.konvert.outbox.length === 0), "nothing waits");
    expect((await stored()).sort()).toEqual(["of the first", "of the second"]);
  });

  test("control: without a store the closed tab's messages are gone, and this is seen", async () => {
    const first = await open("memory");
    await isAttached(first);
    cable.pull();
    await write(first, "one");
    await first.close();
    cable.mend();
    const second = await open("memory");
    await isAttached(second);
    await write(second, "two");
    await until(async () => (await stored()).includes("two"), "the next is sent");
    expect(await stored()).toEqual(["two"]);
  });

  test("a page of another origin uploads a file, over a cut in the middle of it", async () => {
    const page = await open();
    cable.cutAfter(2_500_000);
    const upload = await page.evaluate(async () => {
      const bytes = Uint8Array.from({ length: 4_000_000 }, (_, i) => i * 7 + (i >> 9));
      const steps: number[] = [];
      const onProgress = ({ sentBytes }: { sentBytes: number }) => void steps.push(sentBytes);
      const { blob } = await tab.konvert.upload(new Blob([bytes]), { name: "ü.bin", onProgress });
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return { blob, hash: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""), steps };
    });
    expect(cable.wasCut).toBe(true);
    expect(upload.blob).toBe(upload.hash);
    expect(upload.steps).toEqual([...upload.steps].sort((a, b) => a - b));
    expect(upload.steps.at(-1)).toBe(4_000_000);
    expect(cable.bytes).toBeLessThan(6_000_000);
  });

  test("two tabs share one connection, and both hear everything once; control: by themselves they have two", async () => {
    const leader = await open();
    await isAttached(leader);
    const two = [leader, await open()] as const;
    await Promise.all(two.map(isAttached));
    expect(await connections()).toBe(1);
    await Promise.all(two.map((page, i) => write(page, ...Array.from({ length: 5 }, (_, k) => `${i}.${k}`))));
    for (const page of two) await until(async () => (await heardBy(page)).length >= 10, "all are heard");
    const [one, other] = await Promise.all(two.map(heardBy));
    expect(one).toEqual(other);
    expect(one?.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
    expect(await two[0].evaluate(() => tab.konvert.state)).toMatchObject({ name: "connected", transport: "websocket" });
    expect(await two[1].evaluate(() => tab.konvert.state)).toMatchObject({ name: "connected", transport: "tabs" });
    const alone = [await open("alone"), await open("alone")];
    await Promise.all(alone.map(isAttached));
    expect(await connections()).toBe(3);
    await Promise.all(alone.map((page) => page.close()));
    await until(async () => (await connections()) === 1, "closed tabs leave");
    await Promise.all(two.map((page) => page.close()));
    await until(async () => (await connections()) === 0, "the last takes the connection with it");
  });

  /** The leader goes while messages come; with an outage, some of them at a moment when nobody is connected. */
  async function succession(go: (page: Page) => Promise<void>, hasOutage: boolean, ...flags: "forgetful"[]): Promise<Page> {
    const leader = await open();
    await isAttached(leader);
    const heir = await open(...flags);
    await isAttached(heir);
    boris.connect();
    const say = (from: number, to: number) =>
      Promise.all(Array.from({ length: to - from + 1 }, (_, i) => boris.room(name).publish(String(from + i))));
    await say(1, 10);
    const during = say(11, 200);
    if (hasOutage) cable.refuse();
    await go(leader);
    await during;
    await say(201, 210);
    cable.mend();
    await until(() => heir.evaluate(() => tab.states.includes("leader_changed")), "the tab knows that the leader is gone");
    await isAttached(heir);
    await say(211, 220);
    await until(async () => (await heardBy(heir)).at(-1)?.text === "220", "the last is heard");
    return heir;
  }

  test.each([
    ["is closed", (page: Page) => page.close(), false],
    ["crashes", crash, false],
    ["is closed during an outage", (page: Page) => page.close(), true],
  ])("the leader %s: the other tab takes over, without a gap", async (_, go, hasOutage) => {
    const heir = await succession(go, hasOutage);
    expect(await texts(heir)).toEqual(Array.from({ length: 220 }, (_, i) => String(i + 1)));
    expect((await heardBy(heir)).map(({ offset }) => offset)).toEqual(Array.from({ length: 220 }, (_, i) => i + 1));
    expect(await heir.evaluate(() => tab.resets)).toEqual([]);
    expect(await heir.evaluate(() => tab.konvert.state)).toMatchObject({ name: "connected", transport: "websocket" });
  });

  test("control: a tab that does not go on from where it was has a gap, and this is seen", async () => {
    const heir = await succession((page) => page.close(), true, "forgetful");
    expect(await texts(heir)).not.toContain("205");
  });
});
