// A server that hangs up, is silent, talks nonsense, refuses tokens: the SDK comes back, as told, and never in a storm.
import { describe, expect, test, vi } from "vitest";
import { detect } from "../src/core/detect.js";
import type { TokenNeed } from "../src/index.js";
import { pass, stage, staged, start } from "./support/stage.js";

staged();

describe("connections", () => {
  test("endless closes: the pauses grow", async () => {
    stage.server.faults.onCommand = (socket) => {
      socket.end(4000);
      return true;
    };
    start();
    await pass(600_000);
    expect(stage.server.connectedAt.length).toBeGreaterThan(10);
    expect(stage.server.connectedAt.length).toBeLessThan(80);
    expect(busiest(stage.server.connectedAt, 10_000)).toBeLessThan(20);
  });

  test("closes right after letting us in do not begin the count anew", async () => {
    stage.server.faults.onSay = (frames, socket) => {
      Promise.resolve().then(() => socket.end(4000));
      return frames;
    };
    start();
    await pass(600_000);
    expect(stage.server.connectedAt.length).toBeLessThan(80);
  });

  test("a server that asks to come back at once, always, is not obeyed always", async () => {
    stage.server.faults.onSay = (frames, socket) => {
      Promise.resolve().then(() => socket.end(4000));
      return [...frames, { id: 0, type: "closing", value: { code: 4000, reason: "", reconnectAfterMs: 1 } }];
    };
    start();
    await pass(600_000);
    expect(stage.server.connectedAt.length).toBeLessThan(80);
  });

  test("handshakes that fail, and those that never end", async () => {
    stage.server.faults.noOpen = () => true;
    start({ transports: ["websocket"] });
    await pass(600_000);
    expect(stage.server.connectedAt.length).toBeLessThan(80);
    expect(stage.konvert.state).toMatchObject({ name: "waiting" });
    const before = stage.server.connectedAt.length;
    stage.server.faults = { onCommand: () => true };
    await pass(600_000);
    expect(stage.server.connectedAt.length - before).toBeLessThan(40);
  });

  test("a person need not wait: connect() tries at once, and once", async () => {
    stage.server.faults.onCommand = (socket) => {
      socket.end(4201);
      return true;
    };
    start({ transports: ["websocket"] });
    await pass(10);
    expect(stage.konvert.state).toMatchObject({ name: "waiting", reason: { name: "too_many_connections" } });
    stage.server.faults = {};
    stage.konvert.connect();
    stage.konvert.connect();
    await pass(10);
    expect(stage.konvert.state.name).toBe("connected");
    await pass(60_000);
    expect(stage.server.sockets).toHaveLength(2);
  });

  test("advice is kept: closing, later, stop", async () => {
    start();
    await pass(10);
    const closing = { code: 4000, reason: "draining", reconnectAfterMs: 7_000 };
    stage.server.open[0]?.say({ id: 0, type: "closing", value: closing });
    stage.server.open[0]?.end(4000, "draining");
    expect(stage.konvert.state).toMatchObject({ name: "waiting", reason: { code: 4000, name: "draining" }, retryAtMs: Date.now() + 7_000 });
    await pass(6_900);
    expect(stage.server.sockets).toHaveLength(1);
    await pass(200);
    expect(stage.server.sockets).toHaveLength(2);
    stage.server.open[0]?.end(4201);
    expect(stage.konvert.state).toMatchObject({ name: "waiting", reason: { name: "too_many_connections" } });
    await pass(4_900);
    expect(stage.server.sockets).toHaveLength(2);
    await pass(10_000);
    expect(stage.server.sockets).toHaveLength(3);
    stage.server.open[0]?.end(4403);
    expect(stage.konvert.state).toMatchObject({ name: "closed", reason: { code: 4403, name: "revoked" } });
    await pass(600_000);
    expect(stage.server.sockets).toHaveLength(3);
    stage.konvert.connect();
    await pass(10);
    expect(stage.konvert.state.name).toBe("connected");
  });

  test("garbage, half frames, wrong answers end the connection, and it comes back", async () => {
    start();
    const spoil: ((socket: (typeof stage.server.sockets)[0]) => void)[] = [
      (socket) => socket.bytes(Uint8Array.of(0xc1)),
      (socket) => socket.bytes(Uint8Array.of(0x82, 0xa2, 0x69)),
      (socket) => socket.bytes("text"),
      (socket) => {
        stage.server.faults.onCommand = ({ say }, { id, type }) => {
          if (type !== "history") return false;
          socket.say({ id, type: "pong", value: {} });
          return !!say;
        };
        void stage.konvert
          .room("r")
          .page()
          .catch(() => {});
      },
    ];
    for (const [i, one] of spoil.entries()) {
      await pass(70_000);
      expect(stage.konvert.state.name).toBe("connected");
      const socket = stage.server.open[0];
      if (socket) one(socket);
      await pass(1);
      expect(socket?.isOpen, String(i)).toBe(false);
      expect(stage.konvert.state).toMatchObject({ name: "waiting", reason: { name: "bad_server" } });
      stage.server.faults = {};
    }
    await pass(70_000);
    expect(stage.konvert.state.name).toBe("connected");
  });

  test("a silent server is found out, and a device that slept asks at once", async () => {
    start();
    await pass(10);
    stage.server.faults.onCommand = (_, { type }) => type === "ping";
    await pass(20_000);
    expect(stage.konvert.state.name).toBe("connected");
    await pass(25_000);
    expect(stage.server.sockets.length).toBeGreaterThan(1);
    stage.server.faults = {};
    await pass(60_000);
    const socket = stage.server.open[0];
    const pings = () => socket?.heard.filter(({ type }) => type === "ping").length ?? 0;
    const before = pings();
    vi.setSystemTime(Date.now() + 3_600_000);
    await pass(6_000);
    expect(pings()).toBeGreaterThan(before);
  });

  test("somebody who looks, or a network that is back, brings the next attempt forward, but no storm", async () => {
    let wake = () => {};
    stage.server.faults.noOpen = () => true;
    start({
      transports: ["websocket"],
      platform: {
        ...stage.server.platform,
        random: () => 0.99,
        onWake: (call) => {
          wake = call;
          return () => {};
        },
      },
    });
    await pass(60_000);
    const before = stage.server.sockets.length;
    for (let i = 0; i < 100; i++) {
      wake();
      await pass(20);
    }
    expect(stage.server.sockets.length - before).toBeGreaterThan(0);
    expect(stage.server.sockets.length - before).toBeLessThan(5);
    stage.server.faults = {};
    await pass(1_100);
    wake();
    await pass(10);
    expect(stage.konvert.state.name).toBe("connected");
    wake();
    await pass(10);
    expect(stage.server.open[0]?.heard.map(({ type }) => type)).toContain("ping");
  });

  test("a network that goes shows a dead connection in seconds, also while a patient question is under way; back, it is there at once", async () => {
    const listeners = new Map<string, () => void>();
    vi.stubGlobal("addEventListener", (type: string, listener: () => void) => listeners.set(type, listener));
    vi.stubGlobal("removeEventListener", (type: string) => listeners.delete(type));
    start({ transports: ["websocket"], platform: { ...stage.server.platform, random: () => 0.99, onWake: detect().onWake } });
    await pass(10);
    expect(stage.konvert.state.name).toBe("connected");
    stage.server.faults = { noOpen: () => true, onCommand: (_, { type }) => type === "ping" };
    // Half a heartbeat of silence, and it is asked with the patience of a quiet connection.
    await pass(16_000);
    expect(stage.server.open[0]?.heard.map(({ type }) => type)).toContain("ping");
    expect(stage.konvert.state.name).toBe("connected");
    listeners.get("offline")?.();
    await pass(5_100);
    expect(stage.konvert.state.name).not.toBe("connected");
    await pass(120_000);
    stage.server.faults = {};
    listeners.get("online")?.();
    await pass(1_100);
    expect(stage.konvert.state.name).toBe("connected");
    vi.unstubAllGlobals();
  });

  test("the token: refused once, asked for again; refused twice, closed; failing, asked again; none, signed out", async () => {
    const refuse = () => {
      stage.server.faults.onCommand = (socket, frame) => {
        if (frame.type !== "connect" || frame.value.token === "good") return false;
        const value = { code: 200, name: "bad_token", message: "", temporary: false, retryAfterMs: 0, firstOffset: 0 };
        socket.say({ id: frame.id, type: "error", value });
        socket.end(4401);
        return true;
      };
    };
    refuse();
    const answers: (string | null | Error)[] = ["bad", "good"];
    const asked: string[] = [];
    const getToken = ({ reason, token }: TokenNeed) => {
      asked.push(`${reason} ${token}`);
      const answer = answers.shift() ?? null;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    start({ token: "", getToken });
    await pass(5_000);
    expect(stage.konvert.state.name).toBe("connected");
    expect(asked).toEqual(["connect ", "refused bad"]);
    answers.push("bad", "bad");
    stage.server.open[0]?.say({ id: 0, type: "tokenExpiring", value: { expiresMs: 1 } });
    await pass(0);
    expect(asked.at(-1)).toBe("expiring good");
    stage.server.open[0]?.end(4003);
    await pass(30_000);
    expect(stage.konvert.state).toMatchObject({ name: "closed", reason: { name: "token_refused", error: { code: 200 } } });
    answers.push(new Error("no network"), "good");
    stage.konvert.connect();
    await pass(10);
    expect(stage.konvert.state).toMatchObject({ name: "waiting", reason: { name: "no_token" } });
    await pass(5_000);
    expect(stage.konvert.state.name).toBe("connected");
    stage.server.open[0]?.end(4003);
    await pass(5_000);
    expect(stage.konvert.state).toMatchObject({ name: "closed", reason: { name: "signed_out" } });
  });
});

/** The most that happened within any window of so many milliseconds. */
function busiest(times: readonly number[], windowMs: number): number {
  return Math.max(...times.map((from) => times.filter((time) => time >= from && time < from + windowMs).length));
}
