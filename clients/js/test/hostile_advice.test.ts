// A server whose answers and advice make no sense: told twice, never, to nobody; come back in a century, or at once, for
// ever. The order of what is published holds, and nobody spins.
import { describe, expect, test } from "vitest";
import type { ServerFrame } from "../src/core/wire.js";
import { listen, pass, stage, staged, start, upTo } from "./support/stage.js";

staged();

/** The longest that a frame can tell. */
const CENTURY_MS = 2 ** 32 - 1;

const refusal = (id: number, retryAfterMs: number): ServerFrame => ({
  id,
  type: "error",
  value: { code: 600, name: "overloaded", message: "", temporary: true, retryAfterMs, firstOffset: 0 },
});

/** Refuses every command of a type, and counts them. */
function refuse(type: string, retryAfterMs: number): { count: number } {
  const asked = { count: 0 };
  stage.server.faults.onCommand = (socket, frame) => {
    if (frame.type !== type) return false;
    asked.count++;
    socket.say(refusal(frame.id, retryAfterMs));
    return true;
  };
  return asked;
}

describe("the order of what is published", () => {
  test("a server that stores the second before the first is never given both; other rooms do not wait", async () => {
    const held: (() => void)[] = [];
    let most = 0;
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "publish" || frame.value.room !== "r") return false;
      const { messageId, payload = new Uint8Array() } = frame.value;
      // The newest first.
      held.unshift(() => {
        const { offset } = stage.server.store("r", "me", messageId, payload);
        const position = { epoch: stage.server.epoch, offset };
        socket.say({ id: frame.id, type: "published", value: { position, timeMs: 1, duplicate: false } });
      });
      most = Math.max(most, held.length);
      return true;
    };
    start();
    await pass(10);
    const outcomes = upTo(5).map((n) => stage.konvert.room("r").publish(String(n)));
    expect((await Promise.all([stage.konvert.room("other").publish("x"), pass(10)]))[0].position.offset).toBe(1);
    while (held.length) {
      for (const store of held.splice(0)) store();
      await pass(10);
    }
    await Promise.all(outcomes);
    expect(most).toBe(1);
    expect(stage.server.room("r").map(({ messageId }) => messageId)).toEqual(outcomes.map(({ messageId }) => messageId));
  });

  test("answers told twice, to nobody, or before they were asked for", async () => {
    stage.server.faults.onSay = (frames) =>
      frames.flatMap((frame) => {
        if (!frame.id || frame.type !== "published") return [frame, frame];
        return [{ ...frame, id: frame.id + 1 }, { ...frame, id: 4_000 }, frame, frame] as ServerFrame[];
      });
    start();
    const { room, offsets } = listen();
    void room.subscribe();
    await pass(10);
    const published = [];
    for (const n of upTo(6)) published.push(room.publish(String(n)));
    await pass(120_000);
    expect((await Promise.all(published)).map(({ position }) => position.offset)).toEqual(upTo(6));
    expect(offsets()).toEqual(upTo(6));
    expect(stage.server.room("r").map(({ payload }) => String.fromCharCode(...payload))).toEqual(upTo(6).map(String));
  });
});

describe("advice", () => {
  test.each([0, 1, 4_000, CENTURY_MS])("publishing refused for now, for ever, with %d ms to wait: no storm, and not for ever", async (ms) => {
    const asked = refuse("publish", ms);
    start();
    await pass(10);
    const outcome = stage.konvert.room("r").publish("x");
    await pass(600_000);
    expect(asked.count).toBeGreaterThan(0);
    expect(asked.count).toBeLessThan(200);
    stage.server.faults = {};
    // A server that asks for more than ten minutes is not believed.
    await pass(600_000);
    expect((await outcome).position.offset).toBe(1);
  });

  test.each([0, 1, 4_000, CENTURY_MS])("subscribing refused for now, for ever, with %d ms to wait: the same", async (ms) => {
    start();
    await pass(10);
    const asked = refuse("subscribe", ms);
    const { room } = listen();
    void room.subscribe();
    await pass(600_000);
    expect(asked.count).toBeGreaterThan(0);
    expect(asked.count).toBeLessThan(200);
    stage.server.faults = {};
    await pass(600_000);
    expect(room.state).toBe("attached");
  });

  test.each([0, CENTURY_MS])("history refused for now, with %d ms to wait: an error in the end", async (ms) => {
    start();
    await pass(10);
    const asked = refuse("history", ms);
    const settled = expect(stage.konvert.room("r").page()).rejects.toMatchObject({ name: "overloaded", temporary: true });
    await pass(3_600_000 * 2);
    await settled;
    expect(asked.count).toBe(6);
  });

  test("come back in a century: in ten minutes", async () => {
    start();
    await pass(10);
    stage.server.open[0]?.say({ id: 0, type: "closing", value: { code: 4000, reason: "", reconnectAfterMs: CENTURY_MS } });
    stage.server.open[0]?.end(4000);
    await pass(599_000);
    expect(stage.server.sockets).toHaveLength(1);
    await pass(2_000);
    expect(stage.konvert.state.name).toBe("connected");
  });

  test.each([
    [1006, 30, 120],
    [3999, 30, 120],
    [4000, 30, 120],
    [4199, 30, 120],
    [4200, 5, 40],
    [4399, 5, 40],
    [4402, 5, 40],
    [4400, 1, 1],
    [4599, 1, 1],
    [4999, 1, 120],
  ])("closed with %d after every handshake: in half an hour between %d and %d attempts", async (code, least, most) => {
    stage.server.faults.onCommand = (socket) => {
      socket.end(code);
      return true;
    };
    start({ transports: ["websocket"] });
    await pass(1_800_000);
    expect(stage.server.connectedAt.length).toBeGreaterThanOrEqual(least);
    expect(stage.server.connectedAt.length).toBeLessThanOrEqual(most);
  });

  test("subscriptions that are never answered end the connection, ever more slowly", async () => {
    let asked = 0;
    start();
    await pass(10);
    stage.server.faults.onCommand = (_, { type, value }) => (type === "subscribe" || (type === "connect" && !!value.rooms?.length)) && ++asked > 0;
    const { room } = listen();
    void room.subscribe();
    await pass(1_800_000);
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThan(120);
    expect(room.state).toBe("attaching");
  });

  test("a heartbeat of a millisecond: pings, but no storm of them", async () => {
    stage.server.heartbeatMs = 1;
    start();
    await pass(60_000);
    const pings = stage.server.sockets.flatMap(({ heard }) => heard.filter(({ type }) => type === "ping"));
    expect(pings.length).toBeGreaterThan(10);
    expect(pings.length).toBeLessThanOrEqual(120);
    expect(stage.server.sockets).toHaveLength(1);
  });

  test("a token that always ends soon is asked for now and then", async () => {
    let asked = 0;
    stage.server.faults.onSay = (frames) => [
      ...frames,
      ...frames.filter(({ type }) => type === "refreshed" || type === "connected").map((): ServerFrame => expiring),
    ];
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "refresh") return false;
      // Later than in the same turn, so that a storm shows as one and not as standstill.
      setTimeout(() => stage.server.say(socket, { id: frame.id, type: "refreshed", value: { tokenExpiresMs: 1 } }), 1);
      return true;
    };
    start({ token: "", getToken: async () => `token-${++asked}` });
    await pass(60_000);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(30);
    expect(stage.konvert.state.name).toBe("connected");
  });

  test("a retention that runs ahead for ever: each loss is told, and slowly asked about", async () => {
    start();
    await pass(10);
    let first = 10;
    let asked = 0;
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "subscribe") return false;
      asked++;
      first += 10;
      const position = { epoch: stage.server.epoch, offset: first + 5 };
      const error = { code: 303, name: "trimmed", message: "", temporary: false, retryAfterMs: 0, position, firstOffset: first };
      socket.say({ id: frame.id, type: "error", value: error });
      return true;
    };
    const { room, resets } = listen();
    void room.subscribe({ since: { epoch: stage.server.epoch, offset: 3 } });
    await pass(600_000);
    expect(asked).toBeLessThan(60);
    expect(resets).toHaveLength(asked);
    for (const [i, reset] of resets.entries()) expect(reset.lostFrom).toBe(i ? (resets[i - 1]?.lostTo ?? 0) + 1 : 4);
  });

  test("presence whose versions never fit is asked for once a second at most", async () => {
    start();
    const { room } = listen();
    void room.subscribe({ presence: true });
    await pass(10);
    const [socket] = stage.server.open;
    for (let i = 0; i < 600; i++) {
      const joined = [{ user: `u${i}`, name: "", state: new Uint8Array() }];
      socket?.say({ id: 0, type: "presenceDiff", value: { room: "r", version: 1_000 + 10 * i, count: 1, joined, left: [], countOnly: false } });
      await pass(100);
    }
    const asked = socket?.heard.filter(({ type }) => type === "presence").length ?? 0;
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThanOrEqual(62);
  });
});

const expiring: ServerFrame = { id: 0, type: "tokenExpiring", value: { expiresMs: 1 } };
