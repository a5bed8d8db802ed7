// The examples run as their heads say: installed and built, which `ci.sh` has done, started, and used by people.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Konvert } from "../src/node/index.js";
import { faultsOf, hasChromium, launch } from "./support/chromium.js";
import { commandsOf, Shell } from "./support/documented.js";
import { hasServer, until } from "./support/server.js";

const root = new URL("..", import.meta.url).pathname;
const place = mkdtempSync(join(tmpdir(), "konvert-examples-"));
const fresh = join(place, "clients-js");
const bot = commandsOf(join(root, "examples/bot/bot.mjs"));
const react = commandsOf(join(root, "examples/react/serve.mjs"));

describe.skipIf(!hasServer)("with a server", () => {
  let shell: Shell;
  let rounds = 0;

  beforeAll(() => {
    // To do both once more in a copy would prove the same, and take as long as all the other tests.
    expect([bot[0], react[0]]).toEqual(["npm ci && npm run build", "npm ci && npm run build"]);
    const ci = readFileSync(join(root, "ci.sh"), "utf8");
    for (const done of [/^step 'install' npm ci /m, /^step 'build' npm run --silent build$/m]) expect(ci).toMatch(done);
    expect([bot.length, react.length, existsSync(join(root, "dist/node/index.js"))]).toEqual([3, 3, true]);
    // What they make they make beside what is here, not in it.
    mkdirSync(fresh);
    for (const name of readdirSync(root)) if (!name.endsWith("data")) symlinkSync(join(root, name), join(fresh, name));
  });
  beforeEach(() => {
    const data = join(place, `data-${++rounds}`);
    shell = new Shell(fresh, { KONVERT_SERVER__BIND: "127.0.0.1", KONVERT_SERVER__PORT: "0", KONVERT_SERVER__DATA: data });
  });
  afterEach(() => shell.end());
  afterAll(() => rmSync(place, { recursive: true, force: true, maxRetries: 5 }));

  /** Starts the server; its port. */
  async function serve(command = ""): Promise<string> {
    const server = shell.run(command);
    const port = () => /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(server.said())?.[1] ?? "";
    await until(() => port() !== "", "the server listens");
    return port();
  }

  test("the bot answers every question once, also when it is killed in between", async () => {
    const [, serving, answering = ""] = bot;
    const port = await serve(serving);
    const token = shell.run("konvert token --user anna --name Anna --room lobby");
    expect(await token.ended, token.said()).toBe(0);
    const anna = new Konvert(`http://127.0.0.1:${port}`, { token: token.said().trim() });
    try {
      const view = anna.room("lobby").view();
      await anna.room("lobby").subscribe({ since: "start" });
      const start = () => shell.run(answering.replace("3001", port));
      const first = start();
      await until(() => first.said().includes("listening"), "the bot listens");
      await anna.room("lobby").publish("a first question of some words");
      await until(() => view.items.length === 2 && view.items[1]?.text.endsWith("words") === true, "the first answer is whole");
      void anna.room("lobby").publish("a second question of some more words than before, so that there is a middle");
      await until(() => view.items.length === 4 && (view.items[3]?.text.length ?? 0) > 12, "the second answer has begun");
      await first.kill();
      await anna.room("lobby").publish("a third");
      start();
      const answers = () => view.items.filter(({ message }) => message.sender === "bot");
      await until(() => answers().length === 3 && answers()[2]?.text === "You said: a third", "three answers");
      expect(answers().map(({ text }) => text)).toEqual([
        "You said: a first question of some words",
        "You said: a second question of some more words than before, so that there is a middle",
        "You said: a third",
      ]);
      expect(answers().map(({ message }) => message.senderName)).toEqual(["Bot", "Bot", "Bot"]);
    } finally {
      await anna.close();
    }
  });

  test.skipIf(!hasChromium)("two people chat through the React example, and like what they read", async () => {
    const [, serving = "", showing] = react;
    const pages = shell.run(`${showing} 0`);
    const shown = () => /http:\/\/localhost:(\d+)/.exec(pages.said())?.[1] ?? "";
    await until(() => shown() !== "", "the page is served");
    const port = await serve(serving.replace("5173", shown()));
    const browser = await launch();
    try {
      const enter = async (name: string): Promise<{ page: Page; faults: string[] }> => {
        const page = await (await browser.newContext()).newPage();
        const faults = faultsOf(page);
        await page.goto(`http://localhost:${shown()}/?name=${name}&server=http://localhost:${port}`);
        return { page, faults };
      };
      const anna = await enter("Anna");
      const boris = await enter("Boris");
      const line = (page: Page, text: string) => page.locator("li", { hasText: text });
      for (const { page } of [anna, boris]) await page.getByText("attached, 2 here").waitFor();
      const say = async (page: Page, text: string) => {
        await page.getByLabel("Message").fill(text);
        await page.getByLabel("Message").press("Enter");
      };
      await say(anna.page, "Shall we?");
      await line(boris.page, "Anna Shall we?").getByLabel("Like").click();
      await line(anna.page, "Anna Shall we?").getByText("👍 1").waitFor();
      await say(boris.page, "We shall <b>now</b>");
      for (const { page } of [anna, boris]) {
        await line(page, "Boris We shall <b>now</b>").waitFor();
        // Boris sees his own like when the server has told it.
        await expect.poll(() => page.locator("li").allTextContents()).toEqual(["Anna Shall we? 👍 1👍", "Boris We shall <b>now</b> 👍"]);
      }
      expect([...anna.faults, ...boris.faults]).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
