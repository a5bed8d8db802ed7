// Being subscribed to one room, over as many connections as it takes: `sync.ts` with a link and a clock.
//
// Owns when to subscribe. Invariants: one question to the server at a time, each slower than the one before as long
// as they bring nothing; after `end()` nothing is told any more.
import type { KonvertError } from "./errors.js";
import type { Link, Reply } from "./link.js";
import type { Platform } from "./platform.js";
import { type Reset, type Start, type Step, Sync } from "./sync.js";
import type { Position, RoomChanged, Subscribe, Subscribed, WireMessage } from "./wire.js";

const STALL_MS = 500;
const STALL_MAX_MS = 30_000;
/** So often it is asked again at once: a gap is repaired in one round trip. */
const STALLS_FREE = 2;

/** What an attachment tells. */
export interface AttachmentEvents {
  /** `isLive` when they came as a push, not in a catch-up. */
  onMessages(messages: readonly WireMessage[], epoch: number, isLive: boolean): void;
  onReset(reset: Reset): void;
  /** Attached: what the last page said of the room. */
  onAttached(page: Subscribed): void;
  onRefused(error: KonvertError): void;
  /** The server gives us nothing usable; it is asked ever more slowly. */
  onStalled(stall: number): void;
}

export class Attachment {
  readonly #room: string;
  readonly #platform: Platform;
  readonly #events: AttachmentEvents;
  readonly #sync: Sync;
  #presence: boolean;
  #link: Link | null = null;
  /** Counts questions, so that the answer to an earlier one is not taken for the answer to a later one. */
  #question = 0;
  #cancel: () => void = () => {};
  #hasEnded = false;

  constructor(room: string, start: Start, presence: boolean, platform: Platform, events: AttachmentEvents) {
    this.#room = room;
    this.#presence = presence;
    this.#platform = platform;
    this.#events = events;
    this.#sync = new Sync(start);
  }

  get isAttached(): boolean {
    return this.#sync.isAttached;
  }

  get position(): Position | null {
    return this.#sync.position;
  }

  get firstOffset(): number {
    return this.#sync.firstOffset;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What to subscribe with in `connect`; its answer goes to the function. */
  inHello(): { subscribe: Subscribe; answer: (link: Link, subscribed: Subscribed | undefined) => void } {
    const question = ++this.#question;
    const subscribe = this.#request();
    const answer = (link: Link, subscribed: Subscribed | undefined) => {
      // Left, or asked for something else, while the answer was under way.
      if (this.#hasEnded) return link.say({ type: "unsubscribe", value: { room: this.#room } });
      this.#link = link;
      if (question !== this.#question || subscribed?.room !== this.#room) this.#ask();
      else if (subscribed.error) this.#run(this.#sync.refused(subscribed.error));
      else this.#run(this.#sync.page(subscribed));
    };
    return { subscribe, answer };
  }

  /** Connected without having been named in `connect`. */
  up(link: Link): void {
    if (this.#link === link) return;
    this.#link = link;
    this.#ask();
  }

  /** The link is gone. */
  lost(): void {
    this.#link = null;
    this.#cancel();
    this.#sync.detach();
  }

  /** Wants presence, too. */
  withPresence(): void {
    if (this.#presence) return;
    this.#presence = true;
    if (this.#link) this.#ask();
  }

  push(message: WireMessage): void {
    this.#run(this.#sync.push(message), true);
  }

  changed(change: RoomChanged): void {
    this.#run(this.#sync.changed(change));
  }

  /** Wants the room no more. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancel();
    if (this.#link && !this.#link.isOver) this.#link.command("unsubscribe", { room: this.#room }, () => {});
  }

  #request(): Subscribe {
    const subscribe: Subscribe = { room: this.#room, ...this.#sync.request() };
    return this.#presence ? { ...subscribe, presence: true } : subscribe;
  }

  #ask(): void {
    const link = this.#link;
    this.#cancel();
    if (!link || link.isOver || this.#hasEnded) return;
    const question = ++this.#question;
    link.command("subscribe", this.#request(), (reply) => question === this.#question && this.#answered(reply));
  }

  #answered(reply: Reply<"subscribed">): void {
    if (!reply || this.#hasEnded) return;
    this.#run(reply.type === "error" ? this.#sync.refused(reply.value) : this.#sync.page(reply.value));
  }

  #run(steps: readonly Step[], isLive = false): void {
    for (const step of steps) {
      // A listener may have left the room.
      if (this.#hasEnded) return;
      switch (step.do) {
        case "deliver":
          this.#events.onMessages(step.messages, this.#sync.position?.epoch ?? 0, isLive);
          break;
        case "reset":
          this.#events.onReset(step.reset);
          break;
        case "attached":
          this.#events.onAttached(step.page);
          break;
        case "end":
          this.#hasEnded = true;
          this.#events.onRefused(step.error);
          break;
        case "ask":
          this.#again(step.stall, step.afterMs);
      }
    }
  }

  #again(stall: number, afterMs: number): void {
    this.#cancel();
    const growing = Math.min(STALL_MAX_MS, STALL_MS * 2 ** Math.min(stall, 20)) * (0.5 + this.#platform.random() / 2);
    const pause = stall > STALLS_FREE ? Math.max(afterMs, growing) : afterMs;
    if (stall > STALLS_FREE && !afterMs) this.#events.onStalled(stall);
    if (!pause) return this.#ask();
    this.#cancel = this.#platform.after(pause, () => this.#ask());
  }
}
