// What of a room's history is here, and how more of it comes.
//
// Owns the SDK's view of the room. Knows no DOM. Invariants: what is here has no hole up to the newest message but one that
// is being closed; older messages are asked for once at a time.
import type { FoldedMessage, Hole, Room, RoomView } from "@konvert/sdk";
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";

/** More at a time. */
const PAGE_COUNT = 100;
/** As many as the server gives at once, on the way to a place far above. */
const FAR_COUNT = 200;
/** What is further up than this is gone to at once, and what is between is read afterwards. */
const LEAP_COUNT = 300;
/** More than a screen shows at once. */
const SCREEN_COUNT = 30;

export class History {
  readonly #room: Room;
  readonly #view: RoomView;
  readonly #snapshot = signal<RoomView["snapshot"]>({ items: [], pending: [] });
  readonly #isLoading = signal(false);
  readonly #hasOlder = signal(true);
  readonly #hole = signal<Hole | null>(null);
  /** Single messages that are further up than what is here; `null` for those that are not kept any more. */
  readonly #single = signal<ReadonlyMap<number, FoldedMessage | null>>(new Map());
  readonly #asked = new Set<number>();
  #isClosed = false;
  #loading: Promise<void> = Promise.resolve();

  constructor(room: Room) {
    this.#room = room;
    this.#view = room.view();
  }

  get snapshot(): ReadonlySignal<RoomView["snapshot"]> {
    return this.#snapshot;
  }
  /** Older messages are on their way. */
  get isLoading(): ReadonlySignal<boolean> {
    return this.#isLoading;
  }
  /** Whether there are older messages to ask for. */
  get hasOlder(): ReadonlySignal<boolean> {
    return this.#hasOlder;
  }

  /** Where something is missing for a while between messages that are here. */
  get hole(): ReadonlySignal<Hole | null> {
    return this.#hole;
  }

  /** Follows the view; the answer ends that. */
  open(): () => void {
    const show = () =>
      batch(() => {
        this.#snapshot.value = this.#view.snapshot;
        this.#hasOlder.value = this.#view.hasOlder;
        const { hole } = this.#view;
        const held = this.#hole.peek();
        if (hole?.after !== held?.after || hole?.before !== held?.before) this.#hole.value = hole;
      });
    const off = this.#view.on("change", show);
    show();
    return () => {
      off();
      this.#isClosed = true;
      this.#view.close();
    };
  }

  /** A message that is here. */
  get(offset: number): FoldedMessage | undefined {
    return this.#view.get(offset);
  }

  /** A message wherever it is: asked for when it is not here, `undefined` until it came, `null` when it is not kept. */
  anywhere(offset: number): ReadonlySignal<FoldedMessage | null | undefined> {
    return computed(() => {
      this.#snapshot.value;
      const here = this.#view.get(offset);
      if (here) return here;
      const single = this.#single.value;
      if (!single.has(offset)) void this.#ask(offset);
      return single.get(offset);
    });
  }

  /** Asks for older messages. */
  async older(): Promise<void> {
    if (this.#isLoading.peek() || !this.#view.hasOlder) return;
    await this.#load(async () => {
      await this.#view.older(PAGE_COUNT);
    });
  }

  /** Brings the messages around an offset. Tells whether there is one at it, or was one. */
  async reach(offset: number): Promise<boolean> {
    const isThere = () => {
      const { items, oldest, hole } = this.#view;
      // Between those above a hole there may be what is no message.
      const isAbove = hole && offset <= hole.after && (items[0]?.message.offset ?? Number.POSITIVE_INFINITY) <= offset;
      return !!this.#view.get(offset) || !!isAbove || (oldest > 0 && oldest <= offset);
    };
    if (this.#view.oldest - offset > LEAP_COUNT) {
      await this.#load(() => this.#view.around(offset));
      void this.#load(async () => {
        while (!this.#isClosed && this.#view.hole && this.#view.hasOlder) await this.#view.older(FAR_COUNT);
      });
      if (isThere()) return true;
    }
    await this.#load(async () => {
      while (!this.#isClosed && !isThere() && this.#view.hasOlder) await this.#view.older(FAR_COUNT);
    });
    return isThere();
  }

  /** Reads back to a line, and until there is a screenful: edits and reactions take places, but are no messages. */
  async begin(line: number): Promise<void> {
    await this.#load(async () => {
      for (;;) {
        const { items, hasOlder } = this.#view;
        const isThere = items.length >= SCREEN_COUNT && (line < 0 || (items[0]?.message.offset ?? 0) <= line + 1);
        if (isThere || !hasOlder || this.#isClosed) return;
        await this.#view.older(PAGE_COUNT);
      }
    });
  }

  /** One after the other. What fails is asked again when somebody goes there again. */
  async #load(read: () => Promise<unknown>): Promise<void> {
    const before = this.#loading;
    const now = (async () => {
      await before;
      this.#isLoading.value = true;
      await read().catch(() => {});
      this.#isLoading.value = false;
    })();
    this.#loading = now;
    await now;
  }

  async #ask(offset: number): Promise<void> {
    if (this.#asked.has(offset)) return;
    this.#asked.add(offset);
    try {
      const { messages } = await this.#room.page({ from: offset, direction: "forward", limit: 1 });
      const [message] = messages;
      if (!message) return;
      const { payload, text, erased, relation } = message;
      const replyTo = relation?.kind === "reply" ? relation.offset : 0;
      const item = { message, payload, text, edited: false, deleted: erased, reactions: [], replyTo };
      this.#single.value = new Map(this.#single.peek()).set(offset, item);
    } catch (error) {
      if ((error as { name?: string }).name === "trimmed") this.#single.value = new Map(this.#single.peek()).set(offset, null);
      else this.#asked.delete(offset);
    }
  }
}
