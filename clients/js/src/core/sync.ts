// Staying in step with one room: which messages come next, and what to ask when they do not. Pure: no clock, no socket.
//
// Owns the position. Invariant: messages are delivered once each, in order, without a hole; where that is impossible
// one reset says why. It holds whatever the server does: what does not fit is asked for again, ever more slowly.
import { KonvertError } from "./errors.js";
import type { Position, RoomChanged, Subscribe, Subscribed, WireError, WireMessage } from "./wire.js";

/** Where a room begins: after a position, at its very first message, with the newest few, or from now on. */
export type Start = { readonly since: Position | "start" } | { readonly last: number } | Record<string, never>;

/** Why there is something that cannot be delivered in order. */
export interface Reset {
  /** Retention removed what comes next, the history was rewritten, or it is shorter than what was seen. */
  readonly reason: "trimmed" | "epoch_changed" | "ahead_of_log";
  /** Whether everything known of the room is void. If not, messages from `lostFrom` to `lostTo` are missing. */
  readonly forget: boolean;
  /** The first message that is missing, if it is known. */
  readonly lostFrom: number;
  /** The last message that is missing, if it is known. */
  readonly lostTo: number;
}

/** What is to be done, in this order. */
export type Step =
  | { readonly do: "deliver"; readonly messages: readonly WireMessage[] }
  | { readonly do: "reset"; readonly reset: Reset }
  /** Subscribe (again) with `request()`. `stall` counts how often that brought nothing; wait longer each time. */
  | { readonly do: "ask"; readonly stall: number; readonly afterMs: number }
  | { readonly do: "attached"; readonly page: Subscribed }
  /** The room is refused. */
  | { readonly do: "end"; readonly error: KonvertError };

export class Sync {
  readonly #start: Start;
  #epoch = 0;
  #last: number | null = null;
  #first = 1;
  #phase: "idle" | "asked" | "attached" = "idle";
  /** Everything before was declared void, and nothing was delivered since: no second reset is due. */
  #fresh = true;
  #fromStart: boolean;
  #stall = 0;

  constructor(start: Start) {
    this.#start = start;
    this.#fromStart = "since" in start && start.since === "start";
    if ("since" in start && start.since !== "start") {
      this.#epoch = (start.since as Position).epoch;
      this.#last = (start.since as Position).offset;
      this.#fresh = false;
    }
  }

  /** The position of the last message delivered, or the place to go on from. */
  get position(): Position | null {
    return this.#last === null ? null : { epoch: this.#epoch, offset: this.#last };
  }

  /** First retained offset, as last told. */
  get firstOffset(): number {
    return this.#first;
  }

  /** Whether later messages come as pushes. */
  get isAttached(): boolean {
    return this.#phase === "attached";
  }

  /** What to subscribe with; pushes are ignored from now on, until an answer attaches. */
  request(): Omit<Subscribe, "room"> {
    this.#phase = "asked";
    if (this.#last !== null) return { since: { epoch: this.#epoch, offset: this.#last } };
    // No epoch is zero, so that the answer tells the true one and where it begins.
    if (this.#fromStart) return { since: { epoch: 0, offset: 0 } };
    return "last" in this.#start ? { last: this.#start.last as number } : {};
  }

  /** The connection is gone. */
  detach(): void {
    this.#phase = "idle";
  }

  /** The answer to what was asked. */
  page(page: Subscribed): Step[] {
    if (this.#phase !== "asked") return [];
    this.#phase = "idle";
    const epoch = page.position?.epoch ?? 0;
    const head = page.position?.offset ?? 0;
    if (!epoch) return this.#again();
    if (this.#last !== null && epoch !== this.#epoch) return this.#void("epoch_changed", epoch, page.firstOffset);
    if (this.#last === null) this.#epoch = epoch;
    if (page.firstOffset) this.#first = page.firstOffset;
    const before = this.#last;
    const steps = this.#deliver(page.messages);
    const complete = page.messages.every((message) => message.offset <= (this.#last ?? 0));
    if (page.more || !complete) return [...steps, ...this.#again(this.#last !== before)];
    this.#last ??= head;
    if (this.#last < head) return [...steps, ...this.#again(this.#last !== before)];
    this.#phase = "attached";
    // From here on we stand somewhere: what is lost later is lost to somebody.
    this.#fresh = false;
    return [...steps, { do: "attached", page }];
  }

  /** The refusal of what was asked. */
  refused(wire: WireError): Step[] {
    if (this.#phase !== "asked") return [];
    this.#phase = "idle";
    const error = new KonvertError(wire);
    const epoch = error.position?.epoch ?? 0;
    if (error.name === "trimmed") return this.#trimmed(error);
    if (error.name === "epoch_changed" || error.name === "ahead_of_log") return this.#void(error.name, epoch, error.firstOffset);
    if (error.temporary) return this.#again(false, error.retryAfterMs);
    return [{ do: "end", error }];
  }

  /** A push. */
  push(message: WireMessage): Step[] {
    if (this.#phase !== "attached" || this.#last === null || message.offset <= this.#last) return [];
    if (message.offset === this.#last + 1) return this.#deliver([message]);
    this.#phase = "idle";
    return this.#again();
  }

  /** The room's range or numbering changed. */
  changed({ position, firstOffset }: RoomChanged): Step[] {
    if (firstOffset) this.#first = firstOffset;
    if (!position?.epoch || this.#last === null || position.epoch === this.#epoch) return [];
    this.#phase = "idle";
    return this.#void("epoch_changed", position.epoch, firstOffset);
  }

  /** What continues from where we are; stops at the first hole. */
  #deliver(messages: readonly WireMessage[]): Step[] {
    const next: WireMessage[] = [];
    for (const message of messages) {
      const last = this.#last;
      if (message.offset < 1 || (last !== null && message.offset <= last)) continue;
      if (last !== null && message.offset !== last + 1) break;
      this.#last = message.offset;
      next.push(message);
    }
    if (!next.length) return [];
    this.#stall = 0;
    this.#fresh = false;
    return [{ do: "deliver", messages: next }];
  }

  #again(progress = false, afterMs = 0): Step[] {
    this.#stall = progress ? 0 : this.#stall + 1;
    return [{ do: "ask", stall: this.#stall, afterMs }];
  }

  #trimmed({ position, firstOffset }: KonvertError): Step[] {
    const from = (this.#last ?? 0) + 1;
    const wasFresh = this.#fresh;
    if (firstOffset <= from) return this.#again();
    if (position?.epoch && this.#last === null) this.#epoch = position.epoch;
    this.#first = firstOffset;
    this.#last = firstOffset - 1;
    const reset: Reset = { reason: "trimmed", forget: false, lostFrom: from, lostTo: firstOffset - 1 };
    return [...(wasFresh ? [] : [{ do: "reset", reset } as const]), ...this.#again()];
  }

  /** The numbering is another: begin again the way the room was begun. */
  #void(reason: "epoch_changed" | "ahead_of_log", epoch: number, firstOffset: number): Step[] {
    const wasFresh = this.#fresh;
    const isRead = "since" in this.#start;
    this.#epoch = epoch;
    this.#first = firstOffset || 1;
    this.#last = isRead && epoch ? this.#first - 1 : null;
    this.#fromStart = isRead;
    this.#fresh = true;
    const reset: Reset = { reason, forget: true, lostFrom: 0, lostTo: 0 };
    return [...(wasFresh ? [] : [{ do: "reset", reset } as const]), ...this.#again()];
  }
}
