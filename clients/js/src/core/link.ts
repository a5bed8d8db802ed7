// One connection: commands and their replies, many frames to a message, and whether the other side still lives.
//
// Owns what dies with the connection. Knows no room. Invariants: every command is answered exactly once, with a reply
// or with `null` at the end; replies are told in the order they came, before the pushes behind them; a silent server
// is noticed within half a heartbeat and the patience of a probe.
import { CLOSE } from "./errors.js";
import type { Platform } from "./platform.js";
import type { Channel, Transport } from "./transport.js";
import type { Answer, Answers, ClientFrame, Command, Commands, Limits, ServerFrame, WireError } from "./wire.js";

/** How long an answer may take, milliseconds. Commits may wait for a busy disk. */
const ANSWER_MS = 20_000;
/** Patience after waking up, and when the network came or went: somebody is looking. */
const WAKE_MS = 5_000;
/** A handshake that never ends looks the same as a silent server. */
export const HANDSHAKE_MS = 10_000;
/** A timer that comes this much too late tells of a device that slept. */
const SLEPT_MS = 4_000;
const COMMANDS_MAX = 4_096;

/** What is expected until the server tells its own limits. */
export const LIMITS: Limits = {
  payloadBytes: 65_536,
  messageBytes: 262_144,
  framesPerMessage: 128,
  roomsPerConnection: 1_000,
  publishesPerSecond: 1_000,
  signalBytes: 4_096,
  historyPage: 200,
  signalsPerSecond: 1_000,
};

/** The answer to a command: its own reply, an error, or `null` when the connection ended before. */
export type Reply<Type extends keyof Answers> = { type: Type; value: Answers[Type] } | { type: "error"; value: Answers["error"] } | null;

/** Which reply answers which command. */
const ANSWERS = {
  connect: "connected",
  refresh: "refreshed",
  subscribe: "subscribed",
  unsubscribe: "unsubscribed",
  publish: "published",
  signal: "signaled",
  history: "history",
  presence: "presence",
  presenceUpdate: "presence",
  read: "read",
  ping: "pong",
} as const;
type AnswerOf = typeof ANSWERS;

/** What a link tells. */
export interface LinkEvents {
  /** Commands may be given; `connect` must be the first. */
  onOpen(): void;
  /** Something that answers no command. */
  onPush(push: Answer): void;
  /** The first reply after `connected`: this connection is worth something. */
  onProven(): void;
  /** It is over, and every command has been answered with `null`. */
  onClose(code: number, reason: string, retryAfterMs?: number): void;
}

interface Waiting {
  readonly expects: keyof Answers;
  readonly reply: (reply: Reply<keyof Answers>) => void;
  readonly cancel: () => void;
}

export class Link {
  limits = LIMITS;
  readonly #platform: Platform;
  readonly #events: LinkEvents;
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #ready: ClientFrame[] = [];
  #nextId = 1;
  #heartbeatMs = 0;
  #heardAt: number;
  #saidAt: number;
  /** Until when an answer to a probe is waited for; zero: there is none under way. */
  #probing = 0;
  #cancelTick: () => void = () => {};
  #isOver = false;

  constructor(transport: Transport, platform: Platform, events: LinkEvents) {
    this.#platform = platform;
    this.#events = events;
    this.#heardAt = this.#saidAt = platform.now();
    this.#cancelTick = platform.after(HANDSHAKE_MS, () => this.#fail(CLOSE.no_answer, "no handshake"));
    this.#channel = transport.open({
      onOpen: () => {
        if (this.#isOver) return;
        this.#cancelTick();
        events.onOpen();
      },
      onFrames: (frames) => this.#hear(frames),
      onClose: (code, reason, retryAfterMs) => this.#end(code, reason, retryAfterMs),
    });
    if (this.#isOver) this.#channel.close(CLOSE.network, "");
  }

  /** Whether there is room for what may be dropped. */
  get isCongested(): boolean {
    return this.#channel.waitingBytes > 256 * 1024;
  }

  /** Whether it can still be spoken to. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The server has let us in: from now on its silence means something. */
  established(heartbeatMs: number, limits: Limits | undefined): void {
    this.#heartbeatMs = Math.max(1_000, heartbeatMs);
    if (limits) this.limits = limits;
    this.#beat();
  }

  /** Sends a command; `reply` is called exactly once, at the moment the reply is read. */
  command<Type extends keyof Commands>(
    type: Type,
    value: Commands[Type],
    reply: (reply: Reply<AnswerOf[Type]>) => void,
    patienceMs = ANSWER_MS,
  ): void {
    if (this.#isOver) return reply(null);
    const refusal = this.#refusal(value);
    if (refusal) return reply({ type: "error", value: refusal });
    while (this.#waiting.has(this.#nextId)) this.#step();
    const id = this.#nextId;
    this.#step();
    const cancel = this.#platform.after(patienceMs, () => this.#fail(CLOSE.no_answer, `${type} was not answered`));
    this.#waiting.set(id, { expects: ANSWERS[type], reply: reply as Waiting["reply"], cancel });
    this.#send({ id, type, value } as ClientFrame);
  }

  /** Sends what needs no reply. */
  say(command: Command): void {
    this.#send({ id: 0, ...command } as ClientFrame);
  }

  /** Finds out at once whether the server is still there. */
  probe(patienceMs = WAKE_MS): void {
    const until = this.#platform.now() + patienceMs;
    // One under way with more patience is no reason to wait as long.
    if (this.#isOver || !this.#heartbeatMs || (this.#probing && this.#probing <= until)) return;
    this.#probing = until;
    this.command("ping", {}, () => (this.#probing = 0), patienceMs);
  }

  /** Ends it from this side, with `onClose`. */
  close(code: number, reason: string): void {
    this.#fail(code, reason);
  }

  /** What would end the connection, or grow without bounds, is refused here. */
  #refusal(value: object): WireError | undefined {
    const { payload, state } = value as { payload?: Uint8Array; state?: Uint8Array };
    const bytes = (payload ?? state)?.length ?? 0;
    const refuse = (code: number, name: string) => ({ code, name, message: "", temporary: code > 1_000, retryAfterMs: 0, firstOffset: 0 });
    if (bytes > this.limits.payloadBytes) return refuse(401, "payload_too_large");
    return this.#waiting.size >= COMMANDS_MAX ? refuse(1003, "too_many_waiting") : undefined;
  }

  #step(): void {
    this.#nextId = (this.#nextId % 0xffff_ffff) + 1;
  }

  #send(frame: ClientFrame): void {
    if (this.#isOver) return;
    // Whatever is ready in the same turn goes into one message.
    if (this.#ready.push(frame) === 1) Promise.resolve().then(() => this.#flush());
  }

  #flush(): void {
    const frames = this.#ready;
    this.#ready = [];
    if (this.#isOver) return;
    this.#saidAt = this.#platform.now();
    this.#channel.send(frames, this.limits);
  }

  #hear(frames: readonly ServerFrame[]): void {
    this.#heardAt = this.#platform.now();
    for (const frame of frames) {
      if (this.#isOver) return;
      if (frame.id) this.#answer(frame);
      else if (frame.type !== "unknown") this.#events.onPush(frame);
    }
  }

  #answer(frame: ServerFrame): void {
    const waiting = this.#waiting.get(frame.id);
    // Nobody asked: a server that makes up ids is ignored, and found out by the command it leaves unanswered.
    if (!waiting) return;
    if (frame.type !== waiting.expects && frame.type !== "error") {
      return this.#fail(CLOSE.bad_server, `${frame.type} in answer to a command that expects ${waiting.expects}`);
    }
    this.#waiting.delete(frame.id);
    waiting.cancel();
    waiting.reply({ type: frame.type, value: frame.value } as Reply<keyof Answers>);
    if (this.#heartbeatMs && frame.type !== "connected" && !this.#isOver) this.#events.onProven();
  }

  /** Looks a few times per heartbeat whether it is time to ask. */
  #beat(): void {
    this.#cancelTick();
    if (this.#isOver) return;
    const every = Math.min(this.#heartbeatMs / 4, 5_000);
    const due = this.#platform.now() + every;
    this.#cancelTick = this.#platform.after(every, () => {
      const now = this.#platform.now();
      if (now - due > SLEPT_MS) this.probe(WAKE_MS);
      // With an answer, so that both sides know of each other.
      else if (now - Math.min(this.#heardAt, this.#saidAt) >= this.#heartbeatMs / 2) this.probe(ANSWER_MS);
      this.#beat();
    });
  }

  #fail(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#channel?.close(code, reason);
    this.#end(code, reason);
  }

  #end(code: number, reason: string, retryAfterMs?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTick();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) {
      one.cancel();
      one.reply(null);
    }
    this.#events.onClose(code, reason, retryAfterMs);
  }
}
