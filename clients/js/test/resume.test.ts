// The rules of resume as properties: whatever is lost, repeated, reordered or cut, in whatever split, the application
// sees the log once, in order. First the pure rules alone, then the whole SDK against a faulty server.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Step, Sync } from "../src/core/sync.js";
import type { Subscribed, WireMessage } from "../src/core/wire.js";
import { Konvert } from "../src/index.js";
import { EPOCH, FakeServer, type Faults, seeded, wire } from "./support/fake.js";

const RUNS = Number(process.env.RUNS ?? 300);

describe("the rules alone", () => {
  /** A log, and what a server may do with it: cut pages anywhere, lose, repeat and shuffle pushes, hang up. */
  type Act =
    | { readonly act: "page"; readonly size: number; readonly drop: number; readonly lie: boolean }
    | { readonly act: "push"; readonly offset: number }
    | { readonly act: "grow"; readonly count: number }
    | { readonly act: "detach" };
  const acts: fc.Arbitrary<Act[]> = fc.array(
    fc.oneof(
      fc.record({ act: fc.constant("page" as const), size: fc.nat(6), drop: fc.integer({ min: -8, max: 6 }), lie: fc.boolean() }),
      fc.record({ act: fc.constant("push" as const), offset: fc.nat(40) }),
      fc.record({ act: fc.constant("grow" as const), count: fc.nat(5) }),
      fc.record({ act: fc.constant("detach" as const) }),
    ),
    { maxLength: 80 },
  );

  test("delivered offsets are dense from the start, whatever the server does", () => {
    fc.assert(
      fc.property(acts, fc.nat(5), (script, since) => {
        const sync = new Sync({ since: { epoch: EPOCH, offset: since } });
        const delivered: number[] = [];
        let head = since;
        let isAsking = true;
        const run = (steps: Step[]) => {
          for (const step of steps) {
            if (step.do === "deliver") delivered.push(...step.messages.map(({ offset }) => offset));
            if (step.do === "reset" || step.do === "end") throw new Error(`no reason for ${step.do}`);
            if (step.do === "ask") isAsking = true;
          }
        };
        for (const one of script) {
          if (one.act === "grow") head += one.count;
          if (one.act === "detach") {
            sync.detach();
            isAsking = true;
          }
          if (one.act === "push" && one.offset >= 1) run(sync.push(wire(one.offset, "")));
          if (one.act !== "page" || !isAsking) continue;
          isAsking = false;
          const from = (sync.request().since?.offset ?? 0) + 1;
          const messages = Array.from({ length: Math.max(0, Math.min(one.size, head - from + 1)) }, (_, i) => wire(from + i, ""));
          if (one.drop >= 0) messages.splice(one.drop, 1);
          // Whether it says `more` is a lie half of the time: what follows must still be without a hole.
          const more = one.lie ? messages.length % 2 === 0 : from + messages.length <= head;
          run(sync.page(page(messages, head, more)));
          if (!sync.isAttached) isAsking = true;
        }
        expect(delivered).toEqual(delivered.map((_, i) => since + 1 + i));
        expect(sync.position?.offset).toBe(since + delivered.length);
      }),
      { numRuns: RUNS * 10 },
    );
  });

  test("with an honest server every script ends caught up, in as many questions as there are pages", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 7 }), (head, size) => {
        const sync = new Sync({ since: "start" });
        const delivered: number[] = [];
        let asked = 0;
        let steps: Step[] = [{ do: "ask", stall: 0, afterMs: 0 }];
        while (steps.some((step) => step.do === "ask")) {
          asked++;
          const { since } = sync.request();
          if (since?.epoch !== EPOCH) {
            const position = { epoch: EPOCH, offset: head };
            steps = sync.refused({
              code: 304,
              name: "epoch_changed",
              message: "",
              temporary: false,
              retryAfterMs: 0,
              position,
              firstOffset: 1,
            });
            continue;
          }
          const messages = Array.from({ length: Math.min(size, head - since.offset) }, (_, i) => wire(since.offset + 1 + i, ""));
          steps = sync.page(page(messages, head, since.offset + messages.length < head));
          for (const step of steps) if (step.do === "deliver") delivered.push(...step.messages.map(({ offset }) => offset));
        }
        expect(sync.isAttached).toBe(true);
        expect(delivered).toEqual(Array.from({ length: head }, (_, i) => i + 1));
        expect(asked).toBeLessThanOrEqual(2 + head / size);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("the whole SDK", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_795_230_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("random losses, repetitions, reorderings, cuts and missing acks: once, in order, and no storm", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 9 }), async (seed, pageSize) => {
        const random = seeded(seed);
        const server = new FakeServer();
        server.pageSize = pageSize;
        server.faults = faulty(random);
        const konvert = new Konvert("http://server", { token: "me", transports: ["websocket"], platform: { ...server.platform, random } });
        const heard: string[] = [];
        const room = konvert.room("r");
        room.on("message", ({ offset, messageId }) => heard.push(`${offset} ${messageId}`));
        room.on("reset", ({ reason }) => heard.push(reason));
        void room.subscribe({ since: "start" });
        const outcomes = [];
        for (let i = 0; i < 25; i++) {
          if (random() < 0.5) outcomes.push(room.publish(`mine ${i}`));
          else server.store("r", "other", `other ${i}`, "x");
          await vi.advanceTimersByTimeAsync(random() * 3_000);
        }
        server.faults = {};
        await vi.advanceTimersByTimeAsync(120_000);
        // A push that is lost at the very end is found out by the next one.
        server.store("r", "other", "the last", "x");
        await vi.advanceTimersByTimeAsync(60_000);
        const log = server.room("r");
        expect(heard).toEqual(log.map(({ offset, messageId }) => `${offset} ${messageId}`));
        const mine = log.filter(({ sender }) => sender === "me").map(({ messageId }) => messageId);
        expect(mine).toEqual(outcomes.map(({ messageId }) => messageId));
        expect((await Promise.all(outcomes)).map(({ position }) => position.offset)).toEqual(
          log.filter(({ sender }) => sender === "me").map(({ offset }) => offset),
        );
        expect(server.connectedAt.length).toBeLessThan(60);
        await konvert.close();
      }),
      { numRuns: Math.ceil(RUNS / 3), examples: [[1976973321, 2]] },
    );
  });
});

/** About every tenth frame comes to grief. */
function faulty(random: () => number): Faults {
  const unlucky = () => random() < 0.1;
  return {
    noOpen: unlucky,
    onCommand: (socket) => {
      if (random() < 0.03) {
        socket.end(random() < 0.5 ? 4001 : 1006);
        return true;
      }
      return random() < 0.03;
    },
    onSay: (frames, socket) => {
      if (random() < 0.03) Promise.resolve().then(() => socket.end(4000));
      const said = frames.filter(() => !unlucky());
      if (unlucky()) said.push(...frames);
      return unlucky() ? said.reverse() : said;
    },
  };
}

function page(messages: WireMessage[], head: number, more: boolean): Subscribed {
  const position = { epoch: EPOCH, offset: head };
  return { room: "r", position, firstOffset: 1, messages, more, readOffset: 0, unread: 0, mode: "server_readable" };
}
