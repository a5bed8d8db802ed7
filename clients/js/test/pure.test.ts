// The rules without a socket: folding, presence, markers, typing, pauses, platform. As tables and properties.
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { adviceOf } from "../src/core/errors.js";
import { Fold } from "../src/core/fold.js";
import { Markers } from "../src/core/markers.js";
import { Message } from "../src/core/message.js";
import { pauseMs } from "../src/core/pause.js";
import type { Platform } from "../src/core/platform.js";
import { PresenceLog } from "../src/core/presence.js";
import { Typing } from "../src/core/typing.js";
import type { RelationKind } from "../src/core/wire.js";
import { Konvert } from "../src/index.js";
import { wire } from "./support/fake.js";

const said = (offset: number, text: string, kind?: RelationKind, target = 0, sender = "anna") =>
  new Message(wire(offset, text, { sender, ...(kind ? { relation: { kind, offset: target } } : {}) }), "r", 1);

describe("what people see", () => {
  const fold = (messages: Message[]) => {
    const folded = new Fold();
    folded.add(messages);
    return folded.items.map(({ text, edited, deleted, reactions, replyTo }) => {
      const marks = reactions.map((reaction) => `${reaction.text}${reaction.users.join()}`).join(" ");
      return `${deleted ? "deleted" : text}${edited ? "*" : ""}${replyTo ? ` >${replyTo}` : ""}${marks && ` ${marks}`}`;
    });
  };

  test.each([
    ["plain", [said(1, "a"), said(2, "b", "reply", 1)], ["a", "b >1"]],
    ["edits, the last counts", [said(1, "a"), said(2, "b", "edit", 1), said(3, "c", "edit", 1)], ["c*"]],
    [
      "parts, and an edit between them",
      [said(1, "a"), said(2, "b", "append", 1), said(3, "c", "edit", 1), said(4, "d", "append", 1)],
      ["cd*"],
    ],
    [
      "reactions, once for everybody",
      [said(1, "a"), said(2, "x", "reaction", 1), said(3, "x", "reaction", 1, "bob"), said(4, "x", "reaction", 1)],
      ["a xanna,bob"],
    ],
    ["a deleted message says nothing", [said(1, "a"), said(2, "b", "edit", 1), said(3, "", "delete", 1)], ["deleted"]],
    ["a deleted edit is taken back", [said(1, "a"), said(2, "b", "edit", 1), said(3, "", "delete", 2)], ["a"]],
    ["a deleted reaction is taken back", [said(1, "a"), said(2, "x", "reaction", 1), said(3, "", "delete", 2)], ["a"]],
    ["remarks on what is not here", [said(7, "x", "reaction", 1), said(8, "b")], ["b"]],
  ])("%s", (_, messages, expected) => {
    expect(fold(messages)).toEqual(expected);
  });

  test("depends on which messages came, not on the order or the pieces they came in; what did not change is the same object", () => {
    const kinds: RelationKind[] = ["none", "reply", "edit", "delete", "reaction", "append"];
    const log = fc
      .array(fc.record({ kind: fc.constantFrom(...kinds), target: fc.nat(), text: fc.constantFrom("a", "b") }), { maxLength: 25 })
      .map((list) => list.map(({ kind, target, text }, i) => said(i + 1, text, i ? kind : undefined, 1 + (target % Math.max(1, i)))));
    fc.assert(
      fc.property(log, fc.infiniteStream(fc.nat()), (messages, order) => {
        const shuffled = messages
          .map((message) => ({ message, key: order.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ message }) => message);
        const piecewise = new Fold();
        for (const message of shuffled) {
          piecewise.add([message]);
          void piecewise.items;
        }
        const atOnce = new Fold();
        atOnce.add(messages);
        expect(piecewise.items).toEqual(atOnce.items);
        const before = piecewise.items;
        expect(piecewise.items).toBe(before);
        piecewise.add([said(1_000, "new")]);
        expect(piecewise.items.slice(0, -1)).toHaveLength(before.length);
        for (const [i, item] of before.entries()) expect(piecewise.items[i]).toBe(item);
      }),
      { numRuns: 300 },
    );
  });

  test("dropping what is old keeps the rest", () => {
    const folded = new Fold();
    folded.add([said(1, "a"), said(2, "x", "reaction", 1), said(3, "c"), said(4, "y", "reaction", 3)]);
    folded.dropBefore(3);
    expect(folded.items.map(({ text, reactions }) => [text, reactions.length])).toEqual([["c", 1]]);
    expect(folded.get(1)).toBeUndefined();
  });

  test("what is said later of a dropped message is known when that comes back", () => {
    const folded = new Fold();
    folded.add([said(4, "a"), said(5, "old", "edit", 4), said(9, "b"), said(10, "new", "edit", 4), said(11, "x", "reaction", 4)]);
    folded.dropBefore(9);
    folded.add([said(4, "a")]);
    expect(folded.items.map(({ text, edited, reactions }) => [text, edited, reactions.length])).toEqual([
      ["new", true, 1],
      ["b", false, 0],
    ]);
  });
});

test("presence: diffs in order, snapshots for gaps", () => {
  const log = new PresenceLog();
  const member = (user: string, state = 0) => ({ user, name: user, state: Uint8Array.of(state) });
  const diff = (version: number, joined: string[], left: string[], countOnly = false) =>
    log.diff({ room: "r", version, count: 9, joined: joined.map((user) => member(user)), left, countOnly });
  const snapshot = log.snapshot({ room: "r", version: 5, count: 2, members: [member("a"), member("b")], countOnly: false });
  expect(snapshot.joined.map(({ user }) => user)).toEqual(["a", "b"]);
  expect(diff(5, ["x"], [])).toBeNull();
  expect(diff(6, ["c"], ["a"])).toMatchObject({ left: ["a"], count: 9 });
  expect([...log.held.members.keys()]).toEqual(["b", "c"]);
  expect(diff(8, ["d"], [])).toBe("ask");
  expect(diff(7, [], [], true)).toMatchObject({ countOnly: true });
  expect(diff(8, ["e"], [])).toBe("ask");
  const again = log.snapshot({ room: "r", version: 9, count: 1, members: [member("b", 1)], countOnly: false });
  expect([again.joined.map(({ user }) => user), again.left]).toEqual([["b"], []]);
});

test("markers: never back, one move at a time, unread by ordinals", async () => {
  const moves: number[] = [];
  let answer = (_: number) => {};
  const markers = new Markers(
    (offset) => {
      moves.push(offset);
      return new Promise((resolve) => (answer = (ordinal) => resolve({ room: "r", user: "me", offset, ordinal })));
    },
    () => {},
  );
  markers.attached({ readOffset: 2, unread: 3 } as never);
  for (const offset of [6, 7]) markers.seen(said(offset, "x"));
  markers.seen(said(8, "x", "reaction", 7));
  expect(markers.unread).toBe(5);
  const done = markers.to(4);
  void markers.to(6);
  void markers.to(5);
  expect(moves).toEqual([4]);
  answer(4);
  await vi.waitFor(() => expect(moves).toEqual([4, 6]));
  answer(6);
  await done;
  expect([markers.offset, markers.unread]).toEqual([6, 2]);
  await markers.to(3);
  expect(moves).toEqual([4, 6]);
  markers.marker({ room: "r", user: "bob", offset: 5, ordinal: 5 }, false);
  markers.marker({ room: "r", user: "bob", offset: 4, ordinal: 4 }, false);
  expect(markers.others.get("bob")?.offset).toBe(5);
});

test("typing: throttled on the way out, forgotten on the way in, bounded", () => {
  vi.useFakeTimers({ now: 1_000_000 });
  const changes: number[] = [];
  const after = (ms: number, call: () => void) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  };
  const typing = new Typing({ now: Date.now, after } as Platform, (users) => changes.push(users.length));
  expect([typing.shouldSay(), typing.shouldSay()]).toEqual([true, false]);
  vi.advanceTimersByTime(3_000);
  expect(typing.shouldSay()).toBe(true);
  typing.said();
  expect(typing.shouldSay()).toBe(true);
  const payload = new TextEncoder().encode("typing");
  typing.heard("bob", payload);
  typing.heard("eve", Uint8Array.of(1));
  vi.advanceTimersByTime(4_000);
  typing.heard("bob", payload);
  vi.advanceTimersByTime(4_000);
  expect(typing.users).toEqual(["bob"]);
  vi.advanceTimersByTime(2_000);
  expect(typing.users).toEqual([]);
  for (let i = 0; i < 1_000; i++) typing.heard(`user ${i}`, payload);
  expect(typing.users.length).toBeLessThanOrEqual(100);
  expect(changes.slice(0, 2)).toEqual([1, 0]);
  vi.useRealTimers();
});

test("pauses: full jitter that grows, advice kept once, later later, stop for good", () => {
  for (let attempt = 0; attempt < 12; attempt++) {
    const cap = Math.min(30_000, 500 * 2 ** attempt);
    expect(pauseMs(attempt, 4000, 0, 0)).toBe(0);
    expect(pauseMs(attempt, 4000, 0, 1)).toBe(cap);
    expect(pauseMs(attempt, 4200, 0, 0)).toBeGreaterThanOrEqual(5_000);
  }
  expect(pauseMs(0, 4000, 7_000, 0.5)).toBe(7_000);
  expect(pauseMs(5, 4000, 1, 1)).toBe(16_000);
  expect(pauseMs(0, 4200, 90_000, 0)).toBe(90_000);
  expect(pauseMs(0, 4000, 2 ** 32, 0)).toBe(600_000);
  expect(pauseMs(0, 3006, 0, 1)).toBe(0);
  expect(pauseMs(1, 3006, 0, 1)).toBe(1_000);
  for (const code of [4400, 4401, 4403, 4404, 4406, 4599, 3000, 3004, 3009]) expect(pauseMs(0, code, 0, 1)).toBeNull();
  for (const code of [1006, 3001, 3999, 4000, 4003, 4199, 4600]) expect(adviceOf(code), String(code)).toBe("resume");
  for (const code of [4200, 4399, 4402]) expect(adviceOf(code), String(code)).toBe("later");
});

test("addresses in every form are the same server", () => {
  const urlOf = (url: string) => new Konvert(url, { connect: false }).url;
  for (const url of ["https://k.example", "https://k.example/", "wss://k.example/api/websocket", "wss://k.example/ws"]) {
    expect(urlOf(url)).toBe("https://k.example");
  }
  expect(urlOf("http://127.0.0.1:3001/base/")).toBe("http://127.0.0.1:3001/base");
  expect(() => urlOf("/")).toThrow(TypeError);
  expect(() => new Konvert("https://k.example", { connect: false, transports: [] })).toThrow(TypeError);
});
