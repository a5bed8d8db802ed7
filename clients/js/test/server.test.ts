// Against the real server: the whole way, with kills between publishes.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ConnectionState, Konvert, type KonvertOptions, type Message, type Reset, type Room } from "../src/node/index.js";
import { NodeWebSocket } from "../src/node/websocket.js";
import { protobuf } from "../src/protobuf.js";
import { hasServer, Server, until } from "./support/server.js";

describe.skipIf(!hasServer)("with a server", () => {
  let server: Server;
  const open: Konvert[] = [];
  let rooms = 0;
  const newRoom = () => `room-${++rooms}`;

  beforeAll(async () => {
    server = await Server.start({ KONVERT_GATEWAY__DRAIN_JITTER_MS: "50" });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((konvert) => konvert.close()));
  });
  afterAll(() => server?.remove());

  function as(user: string, options: KonvertOptions = {}): Konvert {
    const konvert = new Konvert(server.url, { token: server.token(user), ...options });
    open.push(konvert);
    return konvert;
  }

  function listen(room: Room): { messages: Message[]; resets: Reset[]; texts: () => string[] } {
    const messages: Message[] = [];
    const resets: Reset[] = [];
    room.on("message", (message) => messages.push(message));
    room.on("reset", (reset) => resets.push(reset));
    return { messages, resets, texts: () => messages.map(({ text }) => text) };
  }

  const dense = (messages: readonly Message[]) => messages.every(({ offset }, i) => offset === (messages[0]?.offset ?? 0) + i);

  test.each([
    ["msgpack", {}],
    ["protobuf", { codec: protobuf }],
  ] as const)("two users speak, in %s", async (_, options) => {
    const name = newRoom();
    const [alice, bob] = [as("alice", options), as("bob", options)];
    const heard = listen(bob.room(name));
    await alice.room(name).subscribe({ presence: true });
    await bob.room(name).subscribe({ presence: true });
    const { position, duplicate } = await alice.room(name).publish("Hello, Боб 🦀");
    expect(position.offset).toBe(1);
    expect(duplicate).toBe(false);
    await alice.room(name).publish(Uint8Array.of(0, 255, 1));
    await until(() => heard.messages.length === 2, "Bob hears both");
    expect(heard.texts()).toEqual(["Hello, Боб 🦀", ""]);
    expect([...(heard.messages[1]?.payload ?? [])]).toEqual([0, 255, 1]);
    expect(heard.messages[0]?.sender).toBe("alice");
    await until(() => alice.room(name).presence.members.has("bob"), "Alice sees Bob");
    expect(alice.user).toBe("alice");
    expect(alice.state.name).toBe("connected");
  });

  test("a killed server loses nothing and doubles nothing", async () => {
    const name = newRoom();
    const [alice, bob] = [as("alice"), as("bob")];
    const heard = listen(bob.room(name));
    const states: ConnectionState["name"][] = [];
    alice.on("state", ({ name }) => states.push(name));
    await alice.room(name).subscribe();
    await bob.room(name).subscribe({ since: "start" });
    const sent: string[] = [];
    for (let round = 0; round < 3; round++) {
      const outcomes = Array.from({ length: 20 }, (_, i) => {
        sent.push(`${round}.${i}`);
        return alice.room(name).publish(`${round}.${i}`);
      });
      await outcomes[5];
      await server.kill();
      await server.restart();
      await Promise.all(outcomes);
    }
    await until(() => heard.messages.length >= sent.length, "Bob has everything");
    expect(heard.texts()).toEqual(sent);
    expect(dense(heard.messages)).toBe(true);
    expect(heard.resets).toEqual([]);
    expect(states).toContain("waiting");
    expect(alice.outbox).toEqual([]);
  });

  test("a drain is followed by a quick return", async () => {
    const name = newRoom();
    const bob = as("bob");
    const heard = listen(bob.room(name));
    await bob.room(name).subscribe();
    const closings: number[] = [];
    bob.on("closing", ({ code }) => closings.push(code));
    await server.kill("SIGTERM");
    await server.restart();
    await as("alice").room(name).publish("back");
    await until(() => heard.messages.length === 1, "Bob is back");
    expect(closings).toEqual([4000]);
  });

  test("a long absence is caught up page by page", async () => {
    const name = newRoom();
    const alice = as("alice");
    const count = 700;
    for (let i = 1; i <= count; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => alice.room(name).publish(String(i + k))));
    }
    const bob = as("bob");
    const heard = listen(bob.room(name));
    await bob.room(name).subscribe({ since: "start" });
    expect(heard.messages.map(({ offset }) => offset)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    const carol = as("carol");
    const late = listen(carol.room(name));
    await carol.room(name).subscribe({ last: 250 });
    expect(late.messages[0]?.offset).toBe(count - 249);
    expect(late.messages).toHaveLength(250);
    const back: number[] = [];
    for await (const { offset } of carol.room(name).history({ pageSize: 33, limit: 300 })) back.push(offset);
    expect(back).toEqual(Array.from({ length: 300 }, (_, i) => count - i));
    const forth: number[] = [];
    for await (const { offset } of carol.room(name).history({ direction: "forward", from: 600 })) forth.push(offset);
    expect(forth).toEqual(Array.from({ length: 101 }, (_, i) => 600 + i));
    const unread = bob.room(name).unread;
    expect(unread).toBe(count);
    await bob.room(name).markRead(650);
    expect([bob.room(name).unread, bob.room(name).readOffset]).toEqual([50, 650]);
    await bob.room(name).markRead();
    expect(bob.room(name).unread).toBe(0);
  });

  test("what is trimmed is told once", async () => {
    const small = await Server.start({ KONVERT_JOURNAL__RETENTION__COUNT: "10" });
    try {
      const writer = new Konvert(small.url, { token: small.token("alice") });
      const reader = new Konvert(small.url, { token: small.token("bob") });
      open.push(writer, reader);
      const room = reader.room("r");
      const heard = listen(room);
      await writer.room("r").publish("1");
      await room.subscribe({ since: "start" });
      const position = room.position;
      expect(position?.offset).toBe(1);
      room.unsubscribe();
      for (let i = 2; i <= 40; i++) await writer.room("r").publish(String(i));
      // All of it: what is let go later would be one more loss.
      await until(async () => (await writer.room("r").page({ limit: 1 })).firstOffset === 31, "retention has done its work");
      await room.subscribe(position ? { since: position } : {});
      expect(heard.resets).toEqual([{ reason: "trimmed", forget: false, lostFrom: 2, lostTo: 30 }]);
      expect(heard.messages.slice(1).map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => 31 + i));
    } finally {
      await small.remove();
    }
  });

  test("a numbering from another server is void, and told so", async () => {
    const name = newRoom();
    await as("alice").room(name).publish("one");
    const bob = as("bob");
    const heard = listen(bob.room(name));
    await bob.room(name).subscribe({ since: { epoch: 12345, offset: 7 } });
    expect(heard.resets.map(({ reason, forget }) => [reason, forget])).toEqual([["epoch_changed", true]]);
    expect(heard.texts()).toEqual(["one"]);
  });

  test("relations fold into a view, signals and typing arrive, presence is a map", async () => {
    const name = newRoom();
    const [alice, bob] = [as("alice"), as("bob")];
    const view = bob.room(name).view();
    await alice.room(name).subscribe({ presence: true });
    await bob.room(name).subscribe({ presence: true });
    const said = alice.room(name);
    const { position } = await said.publish("Helo");
    await said.edit(position.offset, "Hello");
    await said.append(position.offset, ", world");
    await bob.room(name).react(position.offset, "👍");
    const answer = await bob.room(name).reply(position.offset, "Hi");
    const doomed = await said.publish("oops");
    await said.delete(doomed.position.offset);
    await until(() => view.items.length === 3 && view.items[2]?.deleted === true, "the view is complete");
    expect(view.oldest).toBe(position.offset);
    const [first, second] = view.items;
    expect(first).toMatchObject({ text: "Hello, world", edited: true, deleted: false });
    expect(first?.reactions).toMatchObject([{ text: "👍", users: ["bob"] }]);
    expect(second).toMatchObject({ text: "Hi", replyTo: position.offset });
    expect(second?.message.offset).toBe(answer.position.offset);
    const signals: string[] = [];
    bob.room(name).on("signal", ({ sender, payload }) => signals.push(`${sender} ${new TextDecoder().decode(payload)}`));
    expect(await said.signal("wave")).toBe(true);
    said.type();
    said.type();
    await until(() => signals.length === 2, "both signals are there");
    expect(signals).toEqual(["alice wave", "alice typing"]);
    expect(bob.room(name).typing).toEqual(["alice"]);
    await said.setPresence("away");
    await until(() => bob.room(name).presence.members.get("alice")?.state.length === 4, "Bob sees the state");
    expect(await bob.room(name).whoOf(["alice", "nobody"])).toEqual(["alice"]);
    said.unsubscribe();
    await until(() => !bob.room(name).presence.members.has("alice"), "Bob sees Alice leave");
  });

  test("errors have numbers", async () => {
    const name = newRoom();
    const alice = as("alice");
    await alice.room(name).publish("x", { messageId: "one" });
    await expect(alice.room(name).publish("y", { messageId: "one" })).rejects.toMatchObject({ code: 402, name: "duplicate_conflict" });
    expect(alice.outbox).toMatchObject([{ state: "rejected" }]);
    alice.retry(alice.outbox[0]?.key ?? "");
    await until(() => alice.outbox.length === 0, "it is stored under a new id");
    const { position } = await alice.room(name).publish("x", { messageId: "one" });
    expect(position.offset).toBe(1);
    await expect(alice.room(name).publish("z", { expected: position })).rejects.toMatchObject({
      name: "conflict",
      position: { offset: 2 },
    });
    const stranger = as("eve", { token: server.token("eve", "elsewhere=all") });
    await expect(stranger.room(name).subscribe()).rejects.toMatchObject({ code: 300 });
    await expect(stranger.room(name).page()).rejects.toMatchObject({ code: 300 });
    const refused = as("nobody", { token: "nonsense" });
    await expect(refused.ready()).rejects.toMatchObject({ code: 200 });
    expect(refused.state).toMatchObject({ name: "closed", reason: { name: "token_refused" } });
  });

  test("a token is renewed on the live connection, and after a refusal", async () => {
    const asked: string[] = [];
    const konvert = as("alice", {
      token: "",
      getToken: ({ reason }) => {
        asked.push(reason);
        return asked.length === 1 ? "nonsense" : server.token("alice", "*=all", asked.length === 2 ? "62s" : "1h");
      },
    });
    await konvert.ready();
    expect(asked.slice(0, 2)).toEqual(["connect", "refused"]);
    await until(() => asked.includes("expiring"), "the server says that the token ends");
    await konvert.room(newRoom()).publish("still here");
  });

  test("REST with the same token, typed errors, and changes told live", async () => {
    const account = { login: "carol", name: "Carol", password: "correct horse battery staple 9" };
    const konvert = as("nobody", { connect: false, token: "" });
    const signedUp = await fetch(`${server.url}/api/auth/sign-up`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(account),
    });
    const { access_token: token } = (await signedUp.json()) as { access_token: string };
    await expect(konvert.api.get("/api/dialogs")).rejects.toMatchObject({ status: 401 });
    const carol = as("carol", { token, changes: true });
    await carol.ready();
    const changed = carol.once("changed");
    const dialog = await carol.api.post<{ id: string; title: string }>("/api/dialogs", { kind: "group", title: "Ünited" });
    expect(await changed).toMatchObject({ path: `/api/dialogs/${dialog.id}`, body: { id: dialog.id, title: "Ünited" } });
    await expect(carol.api.get("/api/dialogs/nothing")).rejects.toMatchObject({ status: 404, code: 701, name: "not_found" });
    const { position } = await carol.room(dialog.id).publish("the dialog is a room");
    expect(position.offset).toBe(1);
  });

  test("a guest stays the same", async () => {
    const { MemoryStore } = await import("../src/index.js");
    const store = new MemoryStore();
    const platform = { webSocket: withOrigin(server.url) };
    const first = new Konvert(server.url, { guest: "Gast", store, platform });
    open.push(first);
    await first.ready();
    const again = new Konvert(server.url, { guest: "Gast", store, platform });
    open.push(again);
    await again.ready();
    expect(again.user).toBe(first.user);
    expect(first.user).toMatch(/^guest-/);
  });
});

/** Guests come from pages: what a page's WebSocket would send. */
function withOrigin(url: string) {
  return (address: string, subprotocol: string) => new NodeWebSocket(address, subprotocol, { origin: url });
}
