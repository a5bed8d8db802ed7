// Our own edits, deletes and reactions that are not stored yet: shown as if they were, until they are.
//
// Owns them per message. Invariants: whatever is stored and has arrived is here no more; what the server refuses is
// dropped and told, because what it would change stays as it is.
import type { Konvert, KonvertError, OutboxMessage, Room } from "@konvert/sdk";
import { type ReadonlySignal, signal } from "@preact/signals";

/** By the offset of the message they are about. */
export type Waiting = ReadonlyMap<number, readonly OutboxMessage[]>;

export class Remarks {
  readonly #konvert: Konvert;
  readonly #room: Room;
  readonly #held = new Map<string, OutboxMessage>();
  readonly #waiting = signal<Waiting>(new Map());
  readonly #problem = signal<KonvertError | null>(null);

  constructor(konvert: Konvert, room: Room) {
    this.#konvert = konvert;
    this.#room = room;
  }

  get waiting(): ReadonlySignal<Waiting> {
    return this.#waiting;
  }

  /** Why the last one was refused, until somebody has read it. */
  get problem(): ReadonlySignal<KonvertError | null> {
    return this.#problem;
  }

  /** Listens; the answer ends that. */
  open(): () => void {
    for (const message of this.#room.pending) this.#take(message);
    this.#show();
    const off = [
      this.#room.on("outbox", (message) => {
        if (!isRemark(message)) return;
        this.#take(message);
        this.#show();
      }),
      this.#room.on("message", ({ offset }) => {
        if (!this.#held.size) return;
        for (const [key, { published }] of this.#held) if (published && published.position.offset <= offset) this.#held.delete(key);
        this.#show();
      }),
    ];
    return () => {
      for (const end of off) end();
    };
  }

  /** It was read. */
  forgive(): void {
    this.#problem.value = null;
  }

  #take(message: OutboxMessage): void {
    if (!isRemark(message)) return;
    const { key, state, published, error } = message;
    const isHere = !!published && published.position.offset <= (this.#room.position?.offset ?? 0);
    if (state === "dropped" || isHere) this.#held.delete(key);
    else if (state === "rejected") {
      this.#held.delete(key);
      this.#problem.value = error ?? null;
      this.#konvert.drop(key);
    } else this.#held.set(key, message);
  }

  #show(): void {
    const waiting = new Map<number, OutboxMessage[]>();
    for (const message of this.#held.values()) {
      const offset = message.relation?.offset ?? 0;
      waiting.set(offset, [...(waiting.get(offset) ?? []), message]);
    }
    if (waiting.size || this.#waiting.peek().size) this.#waiting.value = waiting;
  }
}

const isRemark = ({ relation }: OutboxMessage) => !!relation && relation.kind !== "reply" && relation.kind !== "none";
