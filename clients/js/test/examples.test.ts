// The examples run as their heads say. They use what `npm run build` made, as an application would.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { Konvert } from "../src/node/index.js";
import { hasServer, Server, until } from "./support/server.js";

const root = new URL("..", import.meta.url).pathname;
const children: ChildProcess[] = [];

/** Runs an example; what it says is collected. */
function run(script: string, args: string[], env: Record<string, string> = {}): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [join(root, script), ...args], { cwd: root, env: { ...process.env, ...env } });
  children.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (said += text));
  return { child, said: () => said };
}

beforeAll(() => {
  expect(existsSync(join(root, "dist/node/index.js")), "npm run build comes first").toBe(true);
});
afterEach(endAll);

async function endAll(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }
}

describe.skipIf(!hasServer)("with a server", () => {
  test("the bot answers every question once, also when it is killed in between", async () => {
    const server = await Server.start();
    try {
      const anna = new Konvert(server.url, { token: server.token("anna") });
      const view = anna.room("lobby").view();
      await anna.room("lobby").subscribe({ since: "start" });
      const args = [server.url, "lobby", join(server.data, "bot")];
      const env = { TOKEN: server.token("bot") };
      const first = run("examples/bot/bot.mjs", args, env);
      await until(() => first.said().includes("listening"), "the bot listens");
      await anna.room("lobby").publish("a first question of some words");
      await until(() => view.items.length === 2 && view.items[1]?.text.endsWith("words") === true, "the first answer is whole");
      void anna.room("lobby").publish("a second question of some more words than before, so that there is a middle");
      await until(() => view.items.length === 4 && (view.items[3]?.text.length ?? 0) > 12, "the second answer has begun");
      const gone = new Promise((resolve) => first.child.once("exit", resolve));
      first.child.kill("SIGKILL");
      await gone;
      await anna.room("lobby").publish("a third");
      run("examples/bot/bot.mjs", args, env);
      await until(() => view.items.filter(({ message }) => message.sender === "bot").length === 3, "three answers");
      const answers = () => view.items.filter(({ message }) => message.sender === "bot").map(({ text }) => text);
      await until(() => answers()[2] === "You said: a third", "the last is whole");
      expect(answers()).toEqual([
        "You said: a first question of some words",
        "You said: a second question of some more words than before, so that there is a middle",
        "You said: a third",
      ]);
      await anna.close();
    } finally {
      await endAll();
      await server.remove();
    }
  }, 40_000);
});

test("the React example is bundled and served", async () => {
  const { said } = run("examples/react/serve.mjs", ["0"]);
  await until(() => /http:\/\/localhost:\d+/.test(said()), "it tells its address");
  const url = /http:\/\/localhost:\d+/.exec(said())?.[0] ?? "";
  const page = await (await fetch(url)).text();
  expect(page).toContain('<script type="module" src="/app.js">');
  const script = await (await fetch(`${url}/app.js`)).text();
  expect(script.length).toBeGreaterThan(100_000);
  // The page's bundle has no Node in it.
  expect(script).not.toMatch(/["']node:/);
});
