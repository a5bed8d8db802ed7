// What is remembered between two visits, so that the app opens without a network: the dialogs, the contacts, the newest
// messages of the rooms one was in.
//
// Knows a shelf, not what it is made of. Invariants: what is remembered is shown only until the server has told better;
// what lies on the shelf is plain data, and what of it cannot be understood is as if it were not there.
import { type FoldedMessage, Message } from "@konvert/sdk";

/** Where it lies: IndexedDB, or anything that keeps plain values by name. */
export interface MemoryShelf {
  get(name: string): Promise<unknown>;
  put(name: string, value: unknown): Promise<void>;
  /** Names that begin so, least recently written first. */
  names(prefix: string): Promise<readonly string[]>;
  delete(name: string): Promise<void>;
}

/** A message as it lies on the shelf. */
interface Kept extends Omit<FoldedMessage, "message"> {
  readonly epoch: number;
  readonly wire: ConstructorParameters<typeof Message>[0];
}

/** Newest messages of a room that are kept, and rooms. */
const MESSAGES_MAX = 60;
const ROOMS_MAX = 30;
/** The markers of as many users, those who have read furthest. */
const MARKERS_MAX = 200;
const ROOM = "room ";
const MARKERS = "markers ";

export class Memory {
  readonly #shelf: MemoryShelf;

  constructor(shelf: MemoryShelf) {
    this.#shelf = shelf;
  }

  /** A list by its name; empty when nothing is remembered. */
  async list<Item>(name: string): Promise<readonly Item[]> {
    const value = await this.#shelf.get(name).catch(() => null);
    return Array.isArray(value) ? value : [];
  }

  async keepList(name: string, items: readonly unknown[]): Promise<void> {
    // No room left, or no such storage: then nothing is remembered.
    await this.#shelf.put(name, items).catch(() => {});
  }

  async room(room: string): Promise<readonly FoldedMessage[]> {
    try {
      return (await this.list<Kept>(ROOM + room)).map(({ wire, epoch, ...folded }) => ({
        ...folded,
        message: new Message(wire, room, epoch),
      }));
    } catch {
      // Another version of the app has written something else there.
      return [];
    }
  }

  /** How far somebody has read in a room, by user id. */
  async markers(room: string): Promise<ReadonlyMap<string, number>> {
    const kept = await this.list<readonly unknown[]>(MARKERS + room);
    return new Map(kept.filter((one): one is [string, number] => typeof one?.[0] === "string" && typeof one[1] === "number"));
  }

  async keepMarkers(room: string, markers: ReadonlyMap<string, number>): Promise<void> {
    await this.keepList(MARKERS + room, [...markers].sort(([, a], [, b]) => b - a).slice(0, MARKERS_MAX));
  }

  async keepRoom(room: string, items: readonly FoldedMessage[]): Promise<void> {
    await this.keepList(ROOM + room, items.slice(-MESSAGES_MAX).map(keptOf));
    const names = await this.#shelf.names(ROOM).catch(() => []);
    for (const name of names.slice(0, Math.max(0, names.length - ROOMS_MAX))) {
      await this.#shelf.delete(name).catch(() => {});
      await this.#shelf.delete(MARKERS + name.slice(ROOM.length)).catch(() => {});
    }
  }
}

function keptOf({ message, ...folded }: FoldedMessage): Kept {
  const { room, position, sender, senderName, messageId, timeMs, kind, relation, payload, ordinal, erased, mentions, blobs } = message;
  const wire = { room, offset: position.offset, sender, senderName, messageId, timeMs, kind, payload, ordinal, erased, mentions, blobs };
  return { ...folded, epoch: position.epoch, wire: relation ? { ...wire, relation } : wire };
}
