// The blocks of the guide that are for pages run in one: in Chromium, against the real server, used by a person.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Konvert } from "../src/node/index.js";
import { faultsOf, hasChromium, launch } from "./support/chromium.js";
import { blocks } from "./support/guide.js";
import { hasServer, Server } from "./support/server.js";
import { Site } from "./support/site.js";

/** What the guide leaves to its reader; the address of the page tells it. */
const READER = `
const asked = new URLSearchParams(location.search);
const server = asked.get("server"), userId = "anna", getToken = async () => asked.get("token");
`;
const block = (isOurs: (block: (typeof blocks)[0]) => boolean): string => {
  const [found, ...others] = blocks.filter(isOurs);
  expect([found?.code.includes("import"), others]).toEqual([true, []]);
  return `${READER}${found?.code.replaceAll('"https://chat.example"', "server")}`;
};

declare const konvert: Konvert;

describe.skipIf(!hasServer || !hasChromium)("with a server and a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  /** A page with this code, and whoever speaks to it. */
  async function show(code: string, use: (open: () => Promise<Page>, boris: Konvert) => Promise<void>): Promise<void> {
    const site = await Site.of(code);
    const server = await Server.start(site.setting);
    const context = await browser.newContext();
    const boris = new Konvert(server.url, { token: server.token("boris") });
    const faults: string[] = [];
    try {
      const asked = new URLSearchParams({ server: server.url, token: server.token("anna") });
      const open = async () => {
        const page = await context.newPage();
        faultsOf(page, faults);
        await page.goto(`${site.url}/?${asked}`);
        return page;
      };
      await use(open, boris);
      expect(faults).toEqual([]);
    } finally {
      await boris.close();
      await context.close();
      await server.remove();
      await site.end();
    }
  }

  test("an outbox that outlives the tab, and tabs that share", async () => {
    const code = `${block(({ kind }) => kind === "browser")}\nObject.assign(globalThis, { konvert });`;
    await show(code, async (open) => {
      const first = await open();
      await first.evaluate(() => konvert.ready());
      const second = await open();
      await second.evaluate(() => konvert.ready());
      expect(await first.evaluate(() => konvert.room("lobby").publish("from the first"))).toMatchObject({ position: { offset: 1 } });
      expect(await second.evaluate(() => konvert.room("lobby").publish("from the second"))).toMatchObject({ position: { offset: 2 } });
      expect(await second.evaluate(() => konvert.state)).toMatchObject({ name: "connected", user: "anna", transport: "tabs" });
      expect(await first.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))).toEqual(["konvert outbox"]);
    });
  });

  test("React: its hooks show what is said, who is there, who types, what is unread, and older messages", async () => {
    const code = `
import { createRoot } from "react-dom/client";
import { Konvert } from "@konvert/sdk";
${block(({ language }) => language === "tsx")}
const konvert = new Konvert(server, { getToken });
createRoot(document.body.appendChild(document.createElement("div"))).render(<App />);`;
    await show(code, async (open, boris) => {
      const lobby = boris.room("lobby");
      await Promise.all(Array.from({ length: 60 }, (_, i) => lobby.publish(`message ${i + 1}`)));
      await lobby.subscribe({ presence: true });
      const page = await open();
      await page.getByText("connected, 2 here, 60 unread").waitFor();
      const texts = () => page.locator("p").allTextContents();
      const messages = (from: number) => Array.from({ length: 61 - from }, (_, i) => `message ${from + i}`);
      await expect.poll(texts).toEqual(messages(11));
      await page.getByText("Older").click();
      await page.getByText("message 1", { exact: true }).waitFor();
      await expect.poll(texts).toEqual(messages(1));
      await expect.poll(() => page.getByText("Older").count()).toBe(0);
      lobby.type();
      await page.getByText("60 unread, boris").waitFor();
      await page.getByText("Hi", { exact: true }).click();
      await page.locator("p", { hasText: "Hi" }).waitFor();
      await expect.poll(texts).toEqual([...messages(1), "Hi"]);
      await lobby.publish("Hello");
      await page.locator("p", { hasText: "Hello" }).waitFor();
      await boris.close();
      await page.getByText("connected, 1 here").waitFor();
    });
  });
});
