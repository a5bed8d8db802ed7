// A server that lies, forgets, repeats, reorders: nothing of it reaches the application, and nobody spins.
import { describe, expect, test } from "vitest";
import { wire } from "./support/fake.js";
import { listen, pass, stage, staged, start, uncaught, upTo } from "./support/stage.js";

staged();

describe("messages", () => {
  test("a gap, a repetition and a reordering are repaired before anybody sees them", async () => {
    start();
    const { room, offsets, resets } = listen();
    void room.subscribe();
    await pass(10);
    const socket = stage.server.open[0];
    for (let i = 1; i <= 6; i++) stage.server.room("r").push(wire(i, `${i}`));
    socket?.say({ id: 0, type: "message", value: wire(2, "2") });
    await pass(100);
    expect(offsets()).toEqual(upTo(6));
    for (const offset of [3, 6, 1]) socket?.say({ id: 0, type: "message", value: wire(offset, "again") });
    stage.server.store("r", "other", "m7", "7");
    await pass(100);
    expect(offsets()).toEqual(upTo(7));
    expect(resets).toEqual([]);
  });

  test("a page with a hole is not believed; the server is asked ever more slowly, not for ever quickly", async () => {
    for (let i = 1; i <= 4; i++) stage.server.room("r").push(wire(i, `${i}`));
    let asked = 0;
    stage.server.faults.onSay = (frames) =>
      frames.map((frame) => {
        const page = frame.type === "subscribed" ? frame.value : frame.type === "connected" ? frame.value.rooms[0] : undefined;
        if (!page) return frame;
        asked++;
        const messages = page.messages.filter(({ offset }) => offset !== 2);
        const holed = { ...page, messages };
        return (
          frame.type === "connected" ? { ...frame, value: { ...frame.value, rooms: [holed] } } : { ...frame, value: holed }
        ) as typeof frame;
      });
    start();
    const warnings: string[] = [];
    stage.konvert.on("warning", ({ name }) => warnings.push(name));
    const { room, offsets } = listen();
    void room.subscribe({ since: "start" });
    await pass(60_000);
    expect(offsets()).toEqual([1]);
    expect(asked).toBeLessThan(15);
    expect(warnings).toContain("bad_answer");
    stage.server.faults = {};
    await pass(60_000);
    expect(offsets()).toEqual(upTo(4));
    expect(room.state).toBe("attached");
  });

  test("`more` without an end does not spin", async () => {
    let asked = 0;
    stage.server.faults.onSay = (frames) =>
      frames.map((frame) => {
        if (frame.type !== "subscribed") return frame;
        asked++;
        return { ...frame, value: { ...frame.value, more: true, messages: [] } };
      });
    start();
    const { room } = listen();
    await pass(10);
    void room.subscribe();
    await pass(300_000);
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(30);
    expect(room.state).toBe("attaching");
  });

  test("a numbering that changes all the time is told each time, and slowly", async () => {
    start();
    const { room, resets } = listen();
    await pass(10);
    let epoch = 1;
    let asked = 0;
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "subscribe") return false;
      asked++;
      const value = {
        code: 304,
        name: "epoch_changed",
        message: "",
        temporary: false,
        retryAfterMs: 0,
        position: { epoch: ++epoch, offset: 0 },
        firstOffset: 1,
      };
      socket.say({ id: frame.id, type: "error", value });
      return true;
    };
    void room.subscribe({ since: { epoch: 1, offset: 5 } });
    await pass(120_000);
    expect(asked).toBeLessThan(20);
    // Nothing came in between, so that there is nothing more to forget.
    expect(resets).toEqual([{ reason: "epoch_changed", forget: true, lostFrom: 0, lostTo: 0 }]);
  });

  test("a page that goes backwards, zero offsets, pushes of strange rooms: ignored", async () => {
    start();
    const { room, offsets } = listen();
    void room.subscribe();
    await pass(10);
    const socket = stage.server.open[0];
    socket?.say({ id: 0, type: "message", value: wire(0, "zero") });
    socket?.say({ id: 0, type: "message", value: wire(1, "strange", { room: "other" }) });
    socket?.say({ id: 0, type: "unknown", value: null });
    socket?.say({ id: 77, type: "pong", value: {} });
    await pass(10);
    expect(offsets()).toEqual([]);
    stage.server.store("r", "other", "a", "one");
    await pass(10);
    expect(offsets()).toEqual([1]);
  });

  test("a listener that throws harms nobody", async () => {
    start();
    const { room, offsets } = listen();
    const off = room.on("message", () => {
      throw new Error("of the application");
    });
    void room.subscribe();
    await pass(10);
    stage.server.store("r", "other", "a", "one");
    stage.server.store("r", "other", "b", "two");
    await pass(10);
    off();
    expect(offsets()).toEqual([1, 2]);
    expect(uncaught.splice(0).map(String)).toEqual(["Error: of the application", "Error: of the application"]);
  });
});

describe("publishing", () => {
  test("acks that never come: the same id again, one stored copy, order kept", async () => {
    let drop = 3;
    stage.server.faults.onSay = (frames) => frames.filter(({ type }) => type !== "published" || --drop < 0);
    start();
    await pass(10);
    const outcomes = ["a", "b", "c"].map((text) => stage.konvert.room("r").publish(text));
    await pass(200_000);
    const published = await Promise.all(outcomes);
    expect(published.map(({ position }) => position.offset)).toEqual([1, 2, 3]);
    expect(published[0]?.duplicate).toBe(true);
    expect(stage.server.room("r").map(({ messageId }) => messageId)).toEqual(outcomes.map(({ messageId }) => messageId));
  });

  test("temporary refusals are waited for as told, and hold back what is behind them", async () => {
    let refusals = 2;
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "publish" || refusals-- <= 0) return false;
      const value = { code: 600, name: "overloaded", message: "", temporary: true, retryAfterMs: 4_000, firstOffset: 0 };
      socket.say({ id: frame.id, type: "error", value });
      return true;
    };
    start();
    await pass(10);
    const outcomes = [stage.konvert.room("r").publish("first"), stage.konvert.room("r").publish("second")];
    await pass(7_900);
    expect(stage.server.room("r")).toHaveLength(0);
    await pass(5_000);
    expect((await Promise.all(outcomes)).map(({ position }) => position.offset)).toEqual([1, 2]);
  });

  test("what is rejected is shown, kept, tried again or dropped; what is behind goes on", async () => {
    stage.server.faults.onCommand = (socket, frame) => {
      if (frame.type !== "publish" || frame.value.payload?.length !== 3) return false;
      const value = { code: 401, name: "payload_too_large", message: "", temporary: false, retryAfterMs: 0, firstOffset: 0 };
      socket.say({ id: frame.id, type: "error", value });
      return true;
    };
    start();
    await pass(10);
    const states: string[] = [];
    stage.konvert.room("r").on("outbox", ({ state }) => states.push(state));
    const bad = stage.konvert.room("r").publish("bad");
    const good = stage.konvert.room("r").publish("good");
    await pass(10);
    await expect(bad).rejects.toMatchObject({ code: 401 });
    expect((await good).position.offset).toBe(1);
    const [held] = stage.konvert.room("r").pending;
    expect(held).toMatchObject({ state: "rejected", error: { name: "payload_too_large" } });
    stage.server.faults = {};
    stage.konvert.retry(held?.key ?? "");
    await pass(10);
    expect(stage.server.room("r")).toHaveLength(2);
    expect(stage.konvert.outbox).toEqual([]);
    expect(states).toEqual(["waiting", "sending", "waiting", "rejected", "sending", "stored", "waiting", "sending", "stored"]);
  });

  test("what is too long for the server is refused here: it would end the connection for good", async () => {
    start();
    await pass(10);
    const long = stage.konvert.room("r").publish("x".repeat(300_000));
    const short = stage.konvert.room("r").publish("short");
    await pass(10);
    await expect(long).rejects.toMatchObject({ code: 401, name: "payload_too_large" });
    expect((await short).position.offset).toBe(1);
    expect(stage.server.open).toHaveLength(1);
  });

  test("it is bounded, can be taken back before it is sent, and survives a close in between", async () => {
    start({ connect: false, outbox: { countMax: 2, bytesMax: 10 } });
    const room = stage.konvert.room("r");
    const controller = new AbortController();
    const kept = room.publish("kept");
    const back = room.publish("back", { signal: controller.signal });
    await expect(room.publish("full")).rejects.toMatchObject({ name: "outbox_full", code: 1002 });
    controller.abort();
    await expect(back).rejects.toMatchObject({ name: "aborted" });
    await expect(room.publish("much too long")).rejects.toMatchObject({ name: "outbox_full" });
    stage.konvert.connect();
    await pass(10);
    expect((await kept).position.offset).toBe(1);
    expect(stage.server.room("r")).toHaveLength(1);
  });

  test("what an earlier session left goes first, and the same message again is the same message", async () => {
    const { MemoryStore } = await import("../src/index.js");
    const store = new MemoryStore();
    const left = ["a", "b"].map((id) => ({
      ...{ key: `r ${id}`, messageId: id, room: "r", user: "me", payload: new Uint8Array(1), kind: "message" as const },
      ...{ mentions: [], blobs: [], createdMs: 1 },
    }));
    let loaded = () => {};
    store.load = () => new Promise((resolve) => (loaded = () => resolve(left)));
    start({ store });
    const fresh = stage.konvert.room("r").publish("c", { messageId: "c" });
    const again = stage.konvert.room("r").publish(new Uint8Array(1), { messageId: "b" });
    const other = stage.konvert.room("r").publish("different", { messageId: "b" });
    await expect(other).rejects.toMatchObject({ name: "duplicate_conflict" });
    await pass(100);
    expect(stage.server.room("r")).toEqual([]);
    loaded();
    await pass(100);
    expect(stage.server.room("r").map(({ messageId }) => messageId)).toEqual(["a", "b", "c"]);
    expect([(await fresh).position.offset, (await again).position.offset]).toEqual([3, 2]);
  });

  test("a push of one's own message is as good as the ack", async () => {
    stage.server.faults.onSay = (frames) => frames.filter(({ type }) => type !== "published");
    start();
    const { room } = listen();
    void room.subscribe();
    await pass(10);
    const { position } = await room.publish("x");
    expect(position.offset).toBe(1);
  });

  test("nothing is sent as somebody else", async () => {
    const { MemoryStore } = await import("../src/index.js");
    const store = new MemoryStore();
    const foreign = {
      key: "r x",
      messageId: "x",
      room: "r",
      user: "somebody",
      payload: new Uint8Array(1),
      kind: "message" as const,
      mentions: [],
      blobs: [],
      createdMs: 1,
    };
    store.load = async () => [foreign];
    start({ store });
    await pass(10_000);
    await stage.konvert.room("r").publish("mine");
    expect(stage.server.room("r").map(({ messageId }) => messageId)).not.toContain("x");
    expect(stage.konvert.outbox).toMatchObject([{ key: "r x", state: "waiting" }]);
  });
});

test("questions survive a lost connection and end with the caller's patience", async () => {
  start();
  await pass(10);
  for (let i = 1; i <= 3; i++) stage.server.room("r").push(wire(i, `${i}`));
  let lost = 1;
  stage.server.faults.onCommand = (socket, { type }) => {
    if (type !== "history" || lost-- <= 0) return false;
    socket.end(4001);
    return true;
  };
  const page = stage.konvert.room("r").page();
  await pass(5_000);
  expect((await page).messages.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  stage.server.faults.onCommand = (_, { type }) => type === "history";
  const controller = new AbortController();
  const given = stage.konvert.room("r").page({ signal: controller.signal });
  await pass(10);
  controller.abort();
  await expect(given).rejects.toMatchObject({ name: "aborted" });
  const endless = stage.konvert.room("r").page();
  const settled = expect(endless).rejects.toMatchObject({ name: "closed" });
  await stage.konvert.close();
  await settled;
});

test("changes of resources are told with what a GET would answer", async () => {
  start({ changes: true });
  const changes: unknown[] = [];
  const warnings: string[] = [];
  stage.konvert.on("changed", (change) => changes.push(change));
  stage.konvert.on("warning", ({ name }) => warnings.push(name));
  await pass(10);
  const [socket] = stage.server.open;
  expect(socket?.heard[0]).toMatchObject({ type: "connect", value: { changes: true } });
  const say = (path: string, body: string) =>
    socket?.say({ id: 0, type: "changed", value: { path, body: new TextEncoder().encode(body) } });
  say("/api/dialogs/7", '{"title":"Ü"}');
  say("/api/dialogs/8", "");
  say("/api/dialogs/9", "{");
  await pass(10);
  expect(changes).toEqual([
    { path: "/api/dialogs/7", body: { title: "Ü" } },
    { path: "/api/dialogs/8", body: null },
  ]);
  expect(warnings).toEqual(["bad_answer"]);
});

test("history with a hole is an error, not a shorter history", async () => {
  start();
  await pass(10);
  for (let i = 1; i <= 8; i++) stage.server.room("r").push(wire(i, `${i}`));
  stage.server.faults.onSay = (frames) =>
    frames.map((frame) =>
      frame.type === "history"
        ? { ...frame, value: { ...frame.value, messages: frame.value.messages.filter(({ offset }) => offset !== 6) } }
        : frame,
    );
  const walked = (async () => {
    for await (const _ of stage.konvert.room("r").history());
  })();
  const settled = expect(walked).rejects.toMatchObject({ name: "bad_answer" });
  await pass(10);
  await settled;
});
