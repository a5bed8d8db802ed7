// Who has read to where, and how many messages we have not. Counts by ordinals, never by looking through messages.
//
// Knows no socket: moving our own marker is a question it is lent. Invariant: our marker never goes back, and at most
// one move is under way; a later one waits and replaces those between.
import type { Message } from "./message.js";
import type { ReadMarker, Subscribed } from "./wire.js";

/** Whether people count a message: said, or an answer; not an edit, a reaction, a part. */
export const isCountable = ({ kind, relation }: Pick<Message, "kind" | "relation">): boolean =>
  kind === "message" && (!relation || relation.kind === "none" || relation.kind === "reply");

export class Markers {
  readonly #move: (offset: number) => Promise<ReadMarker>;
  readonly #changed: () => void;
  readonly others = new Map<string, ReadMarker>();
  /** Offset of our own marker. */
  offset = 0;
  unread = 0;
  /** Countable messages up to the newest one seen; unknown until there was one. */
  #head: number | null = null;
  #wanted = 0;
  #isMoving = false;

  /**
   * @param move asks the server
   * @param changed is told after `unread` or `offset` changed
   */
  constructor(move: (offset: number) => Promise<ReadMarker>, changed: () => void) {
    this.#move = move;
    this.#changed = changed;
  }

  /** A room was attached to: what the server says counts. */
  attached({ readOffset, unread }: Subscribed): void {
    this.offset = readOffset;
    this.unread = unread;
    this.#changed();
  }

  /** A live message. */
  seen(message: Message): void {
    this.#head = message.ordinal;
    if (!isCountable(message)) return;
    this.unread++;
    this.#changed();
  }

  /** Messages of a catch-up: `attached` tells what they add up to. */
  caughtUp(message: Message): void {
    this.#head = message.ordinal;
  }

  /** Somebody's marker moved. */
  marker(marker: ReadMarker, isOwn: boolean): void {
    if (!isOwn) {
      const known = this.others.get(marker.user);
      if (!known || known.offset < marker.offset) this.others.set(marker.user, marker);
      return;
    }
    if (marker.offset < this.offset) return;
    this.offset = marker.offset;
    if (this.#head !== null) this.unread = Math.max(0, this.#head - marker.ordinal);
    this.#changed();
  }

  /** Moves our marker; what is already behind us is not asked. */
  async to(offset: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, offset);
    if (this.#isMoving) return;
    this.#isMoving = true;
    try {
      while (this.#wanted > this.offset) {
        const target = this.#wanted;
        const marker = await this.#move(target);
        this.marker(marker, true);
        // The server knows better where the end is.
        if (marker.offset < target) this.#wanted = Math.min(this.#wanted, marker.offset);
      }
    } finally {
      this.#isMoving = false;
    }
  }

  /** The numbering is another. */
  forget(): void {
    this.others.clear();
    this.offset = this.unread = this.#wanted = 0;
    this.#head = null;
  }
}
