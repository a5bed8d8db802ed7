// A room as people see it: the folded messages, older ones on demand, and our own that are still on their way.
//
// Owns what is shown, nothing of how it comes: it listens to a room. Invariants: nothing is shown twice, also not in
// the moment between "stored" and its arrival; `items` is a new array exactly when something changed, and without a hole
// but the one that `hole` tells of.
import { Emitter } from "./emitter.js";
import { Fold, type FoldedMessage } from "./fold.js";
import type { Message } from "./message.js";
import type { OutboxMessage } from "./outbox.js";
import type { Room } from "./room.js";

/** What a view shows. */
export interface ViewOptions {
  /** Most messages kept; older ones are let go and can be asked for again. Default 5000. */
  readonly max?: number;
  /** Whether messages of the kind `service` are shown. Default no. */
  readonly service?: boolean;
}

/** What a view tells. */
export interface ViewEvents {
  /** Something is different: look at `items` and `pending`. */
  change: undefined;
}

/** Where messages are missing between those that are here. */
export interface Hole {
  /** Offset of the last message above it. */
  readonly after: number;
  /** Offset of the first message below it. */
  readonly before: number;
}

/** A room as people see it: made by `room.view()`. */
export class RoomView extends Emitter<ViewEvents> {
  readonly #room: Room;
  readonly #max: number;
  readonly #withService: boolean;
  readonly #off: (() => void)[];
  readonly #pending = new Map<string, OutboxMessage>();
  /** Senders and message ids of what is here: an outbox that is read later than the room must not bring it again. */
  #ids = new Set<string>();
  #fold = new Fold();
  #oldest = 0;
  #count = 0;
  #hasOlder = true;
  /** Messages far above the rest: from the first of them to the last, and whether there are older ones. */
  #stretch: { readonly from: number; readonly to: number; readonly hasOlder: boolean } | null = null;
  #snapshot: { items: readonly FoldedMessage[]; pending: readonly OutboxMessage[] } | null = null;

  /** Made by `room.view()`. */
  constructor(room: Room, { max = 5_000, service = false }: ViewOptions = {}) {
    super();
    this.#room = room;
    this.#max = max;
    this.#withService = service;
    for (const message of room.pending) this.#pending.set(message.key, message);
    this.#off = [
      room.on("message", (message) => this.#add([message])),
      room.on("outbox", (message) => this.#outbox(message)),
      room.on("reset", ({ forget }) => {
        if (forget) this.#forget();
        this.#changed();
      }),
    ];
  }

  /** Messages in order, as they are seen now. */
  get items(): readonly FoldedMessage[] {
    return this.snapshot.items;
  }

  /** Our own messages that are not in `items` yet, in order: on their way, or rejected. */
  get pending(): readonly OutboxMessage[] {
    return this.snapshot.pending;
  }

  /** Offset of the oldest message that was read, shown or not; zero before there was any. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Whether there are older messages to ask for. */
  get hasOlder(): boolean {
    return this.#hasOlder && this.#oldest !== 1;
  }

  /** What is missing between messages brought by `around()` and the others; `older()` brings it. */
  get hole(): Hole | null {
    return this.#stretch && { after: this.#stretch.to, before: this.#oldest };
  }

  /** `items` and `pending` at one moment; the same object until something changes. */
  get snapshot(): { readonly items: readonly FoldedMessage[]; readonly pending: readonly OutboxMessage[] } {
    this.#snapshot ??= { items: this.#fold.items, pending: [...this.#pending.values()] };
    return this.#snapshot;
  }

  /** The message at an offset, if it is here. */
  get(offset: number): FoldedMessage | undefined {
    return this.#fold.get(offset);
  }

  /** Asks for older messages; tells whether there are still more. */
  async older(count = 50): Promise<boolean> {
    if (!this.hasOlder) return false;
    const before = this.#fold;
    const page = await this.#room.page({ direction: "backward", limit: count, ...(this.#oldest ? { from: this.#oldest - 1 } : {}) });
    // The numbering changed meanwhile.
    if (before !== this.#fold) return this.hasOlder;
    this.#hasOlder = page.more;
    this.#add(page.messages, true);
    // What was missing is not kept any more, and what is above it still less.
    if (!page.more && this.#stretch) {
      this.#fold.dropBefore(this.#oldest);
      this.#stretch = null;
      this.#changed();
    }
    return this.hasOlder;
  }

  /**
   * Brings messages around one that is further up than what is here, before all that is between: that is a hole then,
   * until `older()` has been asked often enough. What later messages say of them is known only when it is closed. Tells
   * whether the one that was asked for is here.
   */
  async around(offset: number, count = 100): Promise<boolean> {
    const isHere = () => this.#fold.get(offset) !== undefined;
    if (isHere() || !this.hasOlder || !this.#oldest || offset >= this.#oldest) return isHere();
    const before = this.#fold;
    const from = Math.max(1, this.#room.firstOffset, offset - Math.floor(count / 2));
    const { messages } = await this.#room.page({ direction: "forward", limit: count, from });
    const above = messages.filter((message) => message.offset < this.#oldest);
    const [first, last] = [above[0], above.at(-1)];
    if (before !== this.#fold || !first || !last) return isHere();
    // Two holes are one too many: what was brought before goes.
    if (this.#stretch) this.#fold.dropBefore(this.#oldest);
    this.#stretch = { from: first.offset, to: last.offset, hasOlder: first.offset > this.#room.firstOffset };
    this.#take(above);
    this.#join();
    this.#changed();
    return isHere();
  }

  /** Stops listening. */
  close(): void {
    for (const off of this.#off) off();
  }

  #add(messages: readonly Message[], isOlder = false): void {
    for (const { offset } of messages) if (!this.#oldest || offset < this.#oldest) this.#oldest = offset;
    this.#take(messages);
    this.#join();
    if (!isOlder && this.#count > this.#max * 1.2) this.#shrink();
    this.#changed();
  }

  /** The hole may be closed: what was above it is no stretch of its own any more. */
  #join(): void {
    const stretch = this.#stretch;
    if (!stretch || this.#oldest > stretch.to + 1) return;
    this.#stretch = null;
    if (this.#oldest <= stretch.from) return;
    this.#oldest = stretch.from;
    this.#hasOlder = stretch.hasOlder;
  }

  #take(messages: readonly Message[]): void {
    const shown = messages.filter(({ kind }) => this.#withService || kind === "message");
    for (const message of messages) {
      const pending = this.#pending.get(`${message.room} ${message.messageId}`);
      if (pending && (!pending.user || pending.user === message.sender)) this.#pending.delete(pending.key);
    }
    this.#fold.add(shown);
    for (const message of shown) this.#ids.add(idOf(message.sender, message));
    this.#count += shown.length;
  }

  #shrink(): void {
    const { items } = this.#fold;
    const first = items[items.length - this.#max];
    this.#count = items.length;
    if (!first) return;
    // What is above a hole goes with it.
    const from = this.#stretch ? Math.max(first.message.offset, this.#oldest) : first.message.offset;
    this.#fold.dropBefore(from);
    this.#ids = new Set(this.#fold.items.map(({ message }) => idOf(message.sender, message)));
    this.#oldest = from;
    this.#stretch = null;
    this.#count = this.#fold.items.length;
    this.#hasOlder = true;
  }

  #outbox(message: OutboxMessage): void {
    const { state, key, relation, published } = message;
    // Edits, reactions and deletes show when they are stored.
    const isShown = !relation || relation.kind === "reply";
    const isPast = published && published.position.offset <= (this.#room.position?.offset ?? 0);
    const isHere = isPast || this.#ids.has(idOf(message.user, message));
    if (state === "dropped" || isHere || !isShown) this.#pending.delete(key);
    else this.#pending.set(key, message);
    this.#changed();
  }

  #forget(): void {
    this.#fold = new Fold();
    this.#ids.clear();
    this.#oldest = this.#count = 0;
    this.#stretch = null;
    this.#hasOlder = true;
  }

  #changed(): void {
    this.#snapshot = null;
    this.emit("change", undefined);
  }
}

const idOf = (sender: string, { messageId }: { readonly messageId: string }) => `${sender} ${messageId}`;
