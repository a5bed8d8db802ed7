// @vitest-environment happy-dom
// The hooks in a real React, against the fake server.
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Konvert } from "../src/index.js";
import { KonvertProvider, useConnection, useKonvert, useMessages, usePresence, useRoom } from "../src/react.js";
import { FakeServer, seeded, wire } from "./support/fake.js";

let server: FakeServer;
let konvert: Konvert;
let root: Root;
let renders = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_795_230_000_000 });
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  server = new FakeServer();
  for (let i = 1; i <= 8; i++) server.room("r").push(wire(i, `text ${i}`));
  konvert = new Konvert("http://server", { token: "me", platform: { ...server.platform, random: seeded(1) }, transports: ["websocket"] });
  const place = document.createElement("div");
  document.body.replaceChildren(place);
  root = createRoot(place);
  renders = 0;
});
afterEach(async () => {
  await act(() => root.unmount());
  await konvert.close();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const seen = () => document.body.textContent ?? "";
const click = (id: string) => act(async () => document.getElementById(id)?.click());

function Chat({ name = "r" }) {
  renders++;
  const { room, state, unread, typing } = useRoom(name, { last: 3, presence: true });
  const { messages, pending, hasOlder, loadOlder } = useMessages(room);
  const { count } = usePresence(room);
  return (
    <main>
      <p>
        {useConnection().name} {state} unread={unread} count={count} typing={typing.join()} older={String(hasOlder)}
      </p>
      {messages.map(({ text, message }) => (
        <b key={message.offset}>[{text}]</b>
      ))}
      {pending.map(({ key, state: how }) => (
        <i key={key}>({how})</i>
      ))}
      <button type="button" id="say" onClick={() => void room.publish("said")} />
      <button type="button" id="older" onClick={() => void loadOlder(4)} />
    </main>
  );
}

const Lost = () => <>{useKonvert().url}</>;

const show = (what: React.ReactNode) =>
  act(() =>
    root.render(
      <StrictMode>
        <KonvertProvider value={konvert}>{what}</KonvertProvider>
      </StrictMode>,
    ),
  );

test("a room appears, grows, says what is on its way, and loads what is older", async () => {
  await show(<Chat />);
  await pass(10);
  expect(seen()).toContain("connected attached unread=0");
  expect(seen()).toContain("[text 6][text 7][text 8]");
  await act(async () => void server.store("r", "other", "x", "new"));
  await pass(10);
  expect(seen()).toContain("[text 8][new]");
  expect(seen()).toContain("unread=1");
  server.faults.onCommand = (_, { type }) => type === "publish";
  await click("say");
  expect(seen()).toContain("(sending)");
  server.faults = {};
  await pass(60_000);
  expect(seen()).toContain("[new][said]");
  expect(seen()).not.toContain("(");
  await click("older");
  await pass(10);
  expect(seen()).toContain("[text 2][text 3]");
  await click("older");
  await pass(10);
  expect(seen()).toContain("older=false[text 1]");
  const payload = new TextEncoder().encode("typing");
  await act(async () => server.open[0]?.say({ id: 0, type: "signal", value: { room: "r", sender: "bob", payload } }));
  await pass(10);
  expect(seen()).toContain("typing=bob");
});

test("a double mount subscribes once; a component that is gone leaves the room, and coming back loses nothing", async () => {
  await show(<Chat />);
  await pass(10);
  await show(null);
  await pass(500);
  await show(<Chat />);
  await pass(3_000);
  const subscribes = () => server.sockets.flatMap(({ heard }) => heard).filter(({ type }) => type === "subscribe").length;
  expect(subscribes()).toBeLessThanOrEqual(1);
  await show(null);
  await pass(3_000);
  expect(server.open[0]?.attached.size).toBe(0);
  server.store("r", "other", "x", "missed");
  await show(<Chat />);
  await pass(10);
  expect(seen()).toContain("[text 8][missed]");
  const before = renders;
  await pass(20_000);
  expect(renders - before).toBeLessThan(5);
});

test("without a provider it says so", () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => act(() => root.render(<Lost />))).toThrow("There is no <KonvertProvider");
  quiet.mockRestore();
});
