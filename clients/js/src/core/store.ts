// Where the outbox outlives the process. The interface, and the store that does not: memory.
//
// Knows nothing of sending. Invariant: what `put` has settled is what a later `load` gives back, unless it was removed.
import type { Kind, Position, Relation } from "./wire.js";

/** A message that waits to be stored by the server. */
export interface StoredMessage {
  /** Identifies it in the store. */
  readonly key: string;
  /** The idempotency key under which it is published, however often. */
  readonly messageId: string;
  /** The room it goes to. */
  readonly room: string;
  /** Who wrote it: it is sent as nobody else. Empty until the first connection tells. */
  readonly user: string;
  /** What it carries. */
  readonly payload: Uint8Array;
  /** Whether people would count it. */
  readonly kind: Kind;
  /** What it relates to. */
  readonly relation?: Relation;
  /** Compare-and-append: store only if the room is exactly here. */
  readonly expected?: Position;
  /** User ids that it counts for. */
  readonly mentions: readonly string[];
  /** Stored files that belong to it. */
  readonly blobs: readonly string[];
  /** When it was written, milliseconds since 1970. */
  readonly createdMs: number;
}

/** Keeps the outbox, and the token of a guest. Implement it to keep them somewhere else. */
export interface Store {
  /** Messages that nobody else takes care of any more, oldest first. Called again now and then. */
  load(): Promise<readonly StoredMessage[]>;
  /** Keeps a message, in place of one with the same key. */
  put(message: StoredMessage): Promise<void>;
  /** Forgets a message. */
  remove(key: string): Promise<void>;
  /** A small value. */
  get(name: string): Promise<string | undefined>;
  /** Keeps a small value. */
  set(name: string, value: string): Promise<void>;
  /** Releases what it holds. */
  close?(): void;
}

/** Lives as long as the process; the default. */
export class MemoryStore implements Store {
  readonly #values = new Map<string, string>();

  /** Nothing: what is in memory is in the outbox already. */
  async load(): Promise<readonly StoredMessage[]> {
    return [];
  }

  /** Nothing to do. */
  async put(): Promise<void> {}

  /** Nothing to do. */
  async remove(): Promise<void> {}

  /** A small value. */
  async get(name: string): Promise<string | undefined> {
    return this.#values.get(name);
  }

  /** Keeps a small value. */
  async set(name: string, value: string): Promise<void> {
    this.#values.set(name, value);
  }
}
