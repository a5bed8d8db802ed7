// Tabs that share a connection, against the real server: history, presence and markers served by the leader are the
// server's own, and a killed server or leader changes nothing of what each tab hears.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Konvert, type Message } from "../src/node/index.js";
import { shareTabs } from "../src/tabs/index.js";
import { Browser } from "./support/browser.js";
import { hasServer, Server, until } from "./support/server.js";

describe.skipIf(!hasServer)("with a server", () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start();
  });
  afterAll(() => server?.remove());

  test("each tab hears everything once, whoever is killed", async () => {
    const browser = new Browser();
    const token = server.token("anna");
    const open = () => {
      const tab = browser.tab();
      const transport = shareTabs({ key: "anna", locks: tab.locks, bus: tab.bus });
      const konvert = new Konvert(server.url, { token, transport });
      const heard: Message[] = [];
      konvert.room("r").on("message", (message) => heard.push(message));
      return { tab, konvert, room: konvert.room("r"), heard };
    };
    const bob = new Konvert(server.url, { token: server.token("bob") });
    for (let i = 1; i <= 450; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => bob.room("r").publish(`${i + k}`)));
    const a = open();
    await a.room.subscribe({ last: 250 });
    const b = open();
    await b.room.subscribe({ since: "start", presence: true });
    const c = open();
    await c.room.subscribe({ last: 3, presence: true });
    expect([a, b, c].map(({ heard }) => heard.length)).toEqual([250, 450, 3]);
    expect([a, b, c].map(({ room }) => room.unread)).toEqual([450, 450, 450]);
    await bob.room("r").subscribe({ presence: true });
    await until(() => b.room.presence.members.has("bob") && c.room.presence.members.has("bob"), "both see Bob");
    expect(new Set([a, b, c].map(({ konvert }) => konvert.state.name === "connected" && konvert.state.session)).size).toBe(1);
    await c.room.markRead(400);
    await until(() => [a, b, c].every(({ room }) => room.unread === 50), "all know what is read");
    const outcomes = [a, b, c].flatMap(({ room }, i) => Array.from({ length: 10 }, (_, k) => room.publish(`${i}.${k}`)));
    await outcomes[2];
    await server.kill();
    await server.restart();
    await Promise.all(outcomes);
    await until(() => b.heard.length === 480 && c.heard.length === 33, "all are there");
    // The leader goes without a word; its socket goes with it.
    a.tab.kill();
    await a.konvert.close();
    const last = await bob.room("r").publish("last");
    await until(() => b.heard.length === 481 && c.heard.length === 34, "the others go on");
    expect(last.position.offset).toBe(481);
    expect(b.heard.map(({ offset }) => offset)).toEqual(Array.from({ length: 481 }, (_, i) => i + 1));
    expect(c.heard.map(({ offset }) => offset)).toEqual(Array.from({ length: 34 }, (_, i) => 448 + i));
    for (const konvert of [b.konvert, c.konvert, bob]) await konvert.close();
  });

  test("a user is here as long as one of the tabs wants that, and no longer", async () => {
    const browser = new Browser();
    const token = server.token("anna");
    const open = () => {
      const tab = browser.tab();
      return new Konvert(server.url, { token, transport: shareTabs({ key: "anna", locks: tab.locks, bus: tab.bus }) });
    };
    const bob = new Konvert(server.url, { token: server.token("bob") });
    await bob.room("here").subscribe({ presence: true });
    const isHere = () => bob.room("here").presence.members.has("anna");
    const [a, b] = [open(), open()];
    const heard: string[] = [];
    a.room("here").on("message", ({ text }) => heard.push(text));
    await a.room("here").subscribe();
    await b.room("here").subscribe({ presence: true });
    await until(isHere, "Anna is here");
    b.room("here").unsubscribe();
    await bob.room("here").publish("while she leaves");
    await until(() => !isHere(), "Anna is here no more");
    await bob.room("here").publish("afterwards");
    await until(() => heard.length === 2, "her other tab goes on");
    expect(heard).toEqual(["while she leaves", "afterwards"]);
    for (const konvert of [a, b, bob]) await konvert.close();
  });
});
