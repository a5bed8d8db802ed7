// The real server without a WebSocket: streams and polls, with kills in between.
import { describe, expect, test } from "vitest";
import { Konvert, type Message } from "../src/node/index.js";
import { hasServer, Server, until } from "./support/server.js";

describe.skipIf(!hasServer)("with a server", () => {
  test.concurrent.each(["sse", "poll"] as const)("%s: a whole session, over heartbeats, a kill and a restart", async (transport) => {
    const server = await Server.start({ KONVERT_GATEWAY__HEARTBEAT_MS: "1000" });
    const open: Konvert[] = [];
    try {
      await session(server, transport, open);
    } finally {
      await Promise.all(open.map((konvert) => konvert.close()));
      await server.remove();
    }
  });
});

async function session(server: Server, transport: "sse" | "poll", open: Konvert[]): Promise<void> {
  const as = (user: string) => {
    const konvert = new Konvert(server.url, { token: server.token(user), transports: [transport] });
    open.push(konvert);
    return konvert;
  };
  const [alice, bob] = [as("alice"), as("bob")];
  const heard: Message[] = [];
  bob.room("r").on("message", (message) => heard.push(message));
  await bob.room("r").subscribe({ since: "start", presence: true });
  expect(bob.state).toMatchObject({ name: "connected", transport });
  await alice.room("r").subscribe({ presence: true });
  await until(() => bob.room("r").presence.members.has("alice"), "Bob sees Alice");
  for (let i = 0; i < 10; i++) await alice.room("r").publish(`Привет ${i} 🦀`);
  await alice.room("r").publish(Uint8Array.of(0, 255));
  await until(() => heard.length === 11, "Bob hears everything");
  const session = bob.state.name === "connected" ? bob.state.session : "";
  await new Promise((resolve) => setTimeout(resolve, 8_500));
  expect(bob.state).toMatchObject({ name: "connected", session });
  const outcomes = Array.from({ length: 20 }, (_, i) => alice.room("r").publish(`later ${i}`));
  await outcomes[3];
  await server.kill();
  await server.restart();
  await Promise.all(outcomes);
  await until(() => heard.length === 31, "Bob has everything");
  expect(heard.map(({ offset }) => offset)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
  expect(heard.slice(11).map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, i) => `later ${i}`));
  expect([...(heard[10]?.payload ?? [])]).toEqual([0, 255]);
}
