// Where WebSocket is blocked: streams, polls, and the way between them and back up.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventStream } from "../src/core/event_stream.js";
import type { WebSocketLike } from "../src/core/platform.js";
import { Konvert, type KonvertOptions, type Message } from "../src/index.js";
import { FakeSocket } from "./support/fake.js";
import { HttpFront } from "./support/http.js";
import { until } from "./support/server.js";

let front: HttpFront;
let konvert: Konvert;
const heard: Message[] = [];

beforeEach(async () => {
  front = await HttpFront.start();
  front.server.heartbeatMs = 1_000;
  heard.length = 0;
});
afterEach(async () => {
  await konvert?.close();
  await front.stop();
});

function start(options: KonvertOptions = {}): void {
  konvert = new Konvert(front.url, { token: "me", transports: ["sse"], ...options });
  konvert.room("r").on("message", (message) => heard.push(message));
}

const texts = () => heard.map(({ text }) => text);

describe.each(["sse", "poll"] as const)("%s", (name) => {
  test("carries a whole session, also beyond the first heartbeats", async () => {
    start({ transports: [name] });
    await konvert.room("r").subscribe({ since: "start" });
    expect(konvert.state).toMatchObject({ name: "connected", transport: name });
    for (let i = 0; i < 5; i++) await konvert.room("r").publish(`Привет 🦀 ${i}`);
    for (let i = 0; i < 3; i++) front.server.store("r", "other", `o${i}`, Uint8Array.of(255, i));
    await until(() => heard.length === 8, "everything is heard");
    expect(texts().slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((i) => `Привет 🦀 ${i}`));
    expect([...(heard[7]?.payload ?? [])]).toEqual([255, 2]);
    const session = [...front.sessions.values()][0];
    await until(() => session?.heard.some(({ type }) => type === "ping") === true, "a heartbeat is sent");
    expect(front.sessions.size).toBe(1);
    await konvert.close();
    await until(() => session?.isOpen === false, "the goodbye arrives");
  });

  test("a session that has ended is replaced and resumed", async () => {
    start({ transports: [name] });
    await konvert.room("r").subscribe();
    front.server.store("r", "other", "a", "one");
    await until(() => heard.length === 1, "the first is heard");
    for (const session of front.sessions.values()) session.isOpen = false;
    for (const socket of front.server.open) socket.close();
    front.server.store("r", "other", "b", "two");
    await konvert.room("r").publish("three");
    await until(() => heard.length === 3, "all is heard");
    expect(texts()).toEqual(["one", "two", "three"]);
  });

  test("close codes and advice hold here, too", async () => {
    start({ transports: [name] });
    await konvert.ready();
    const waiting = konvert.once("state", ({ name }) => name === "waiting");
    front.server.open[0]?.end(4201, "too_many_connections");
    expect(await waiting).toMatchObject({ reason: { code: 4201 } });
    await konvert.close();
    front.refuse = () => 503;
    konvert.connect();
    const refused = await konvert.once("state", ({ name }) => name === "waiting");
    expect(refused).toMatchObject({ reason: { code: 4200 } });
  });
});

test("too many requests: the same again, later", async () => {
  start({ transports: ["poll"] });
  await konvert.ready();
  let refusals = 2;
  front.refuse = (path) => (path !== "/api/close" && refusals-- > 0 ? 429 : 0);
  await konvert.room("r").publish("patient");
  expect(front.server.room("r")).toHaveLength(1);
  expect(front.sessions.size).toBe(1);
});

test("a poll that always comes back empty does not spin", async () => {
  start({ transports: ["poll"] });
  await konvert.ready();
  front.refuse = (path) => (path === "/api/poll" ? 204 : 0);
  const before = front.paths.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(front.paths.length - before).toBeLessThan(10);
});

test("a blocked WebSocket falls to a stream, a blocked stream to polls, and climbs back when it can", async () => {
  let isBlocked = true;
  const sockets: FakeSocket[] = [];
  const webSocket = (): WebSocketLike => {
    const socket = new FakeSocket(front.server);
    Promise.resolve().then(() => {
      if (isBlocked) return socket.end(1006);
      front.server.sockets.push(socket);
      sockets.push(socket);
      socket.onopen?.(undefined as never);
    });
    return socket;
  };
  // The climb waits for half a minute and more: here as many milliseconds.
  const after = (ms: number, call: () => void) => {
    const timer = setTimeout(call, ms >= 15_000 && ms < 60_000 ? ms / 100 : ms);
    return () => clearTimeout(timer);
  };
  front.refuse = (path) => (path === "/api/sse" ? 403 : 0);
  start({ transports: ["websocket", "sse", "poll"], platform: { webSocket, after } });
  await konvert.room("r").subscribe();
  expect(konvert.state).toMatchObject({ transport: "poll" });
  front.server.store("r", "other", "a", "one");
  await until(() => heard.length === 1, "polls work");
  isBlocked = false;
  await until(() => konvert.state.name === "connected" && konvert.state.transport === "websocket", "back up");
  front.server.store("r", "other", "b", "two");
  await until(() => heard.length === 2, "the socket works");
  expect(texts()).toEqual(["one", "two"]);
});

test("event streams cut anywhere are the same events", () => {
  const text = 'event: session\ndata: {"a":1}\n\n: beat\n\ndata: П🦀\r\ndata: x\n\nid: 7\nevent: close\ndata:y\n\nevent: nothing\n\n';
  const expected = [
    { name: "session", data: '{"a":1}' },
    { name: "message", data: "П🦀\nx" },
    { name: "close", data: "y" },
  ];
  const bytes = new TextEncoder().encode(text);
  for (let first = 0; first <= bytes.length; first++) {
    const events: unknown[] = [];
    const stream = new EventStream((event) => events.push(event));
    stream.bytes(bytes.subarray(0, first));
    stream.bytes(bytes.subarray(first));
    expect(events).toEqual(expected);
  }
});
