// One conversation: a room that somebody looks at, as signals.
//
// The SDK's view owns what is shown; this adds who has read how far, where the unread begins, and when to read on.
// Knows no DOM. Invariants: subscribed from `open()` to `close()`; the read marker moves only when told that a person
// has seen; the line before what is new stays where it was when the conversation was opened.
import type { FoldedMessage, Konvert, KonvertError, Presence, Publishing, PublishOptions, Room, RoomView } from "@konvert/sdk";
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { People } from "./people";
import { type Receipt, segment } from "./resources";
import { type Row, rowsOf } from "./rows";
import { type Shown, shownOf, shownPending } from "./shown";

/** Messages to begin with, and more at a time. */
const PAGE_COUNT = 50;
/** More than a screen shows at once. */
const SCREEN_COUNT = 30;
/** What is unread is read in up to here, so that the line before it is there to go to. */
const UNREAD_MAX = 500;

export type ConversationState = "opening" | "open" | "refused";
/** Something that a reader should know of the history. */
export type Remark = "lost" | "rewritten" | null;

export class Conversation {
  /** The room's name. */
  readonly id: string;
  readonly room: Room;
  readonly #konvert: Konvert;
  readonly #people: People;
  readonly #isDialog: boolean;
  readonly #off: (() => void)[] = [];
  readonly #view: RoomView;
  readonly #snapshot = signal<RoomView["snapshot"]>({ items: [], pending: [] });
  readonly #state = signal<ConversationState>("opening");
  readonly #refusal = signal<KonvertError | null>(null);
  readonly #remark = signal<Remark>(null);
  readonly #typing = signal<readonly string[]>([]);
  readonly #presence: ReturnType<typeof signal<Presence>>;
  readonly #markers = signal<ReadonlyMap<string, number>>(new Map());
  readonly #unread = signal(0);
  readonly #readOffset = signal(-1);
  readonly #isLoading = signal(false);
  readonly #hasOlder = signal(true);

  /** What an earlier visit knew, until the server has told of this one. */
  readonly #recalled = signal<readonly FoldedMessage[]>([]);
  /** Messages that are stored, oldest first. */
  readonly stored: ReadonlySignal<readonly FoldedMessage[]> = computed(() => {
    const { items } = this.#snapshot.value;
    return items.length || this.#state.value === "open" ? items : this.#recalled.value;
  });

  /** Messages as they are seen, oldest first, with those on their way at the end. */
  readonly messages: ReadonlySignal<readonly Shown[]> = computed(() => {
    const { pending } = this.#snapshot.value;
    const { user } = this.#konvert;
    return [...this.stored.value.map((item) => shownOf(item, user)), ...pending.map((message) => shownPending(message, user))];
  });
  /** The same as rows to draw. */
  readonly rows: ReadonlySignal<readonly Row[]> = computed(() => rowsOf(this.messages.value, this.#readOffset.value));
  /** How far the one who has read furthest has read. */
  readonly readUpTo: ReadonlySignal<number> = computed(() => Math.max(0, ...this.#markers.value.values()));

  /** @param isDialog a dialog has members: what was said before one came counts as read, and there are receipts */
  constructor(id: string, konvert: Konvert, people: People, isDialog: boolean) {
    this.id = id;
    this.#isDialog = isDialog;
    this.#konvert = konvert;
    this.#people = people;
    this.room = konvert.room(id);
    this.#presence = signal<Presence>(this.room.presence);
    this.#view = this.room.view();
  }

  get state(): ReadonlySignal<ConversationState> {
    return this.#state;
  }
  /** Why we may not be here. */
  get refusal(): ReadonlySignal<KonvertError | null> {
    return this.#refusal;
  }
  get remark(): ReadonlySignal<Remark> {
    return this.#remark;
  }
  /** User ids of those who are typing. */
  get typing(): ReadonlySignal<readonly string[]> {
    return this.#typing;
  }
  get presence(): ReadonlySignal<Presence> {
    return this.#presence as ReadonlySignal<Presence>;
  }
  /** Others' read markers, by user id. */
  get markers(): ReadonlySignal<ReadonlyMap<string, number>> {
    return this.#markers;
  }
  /** Countable messages behind our own marker. */
  get unread(): ReadonlySignal<number> {
    return this.#unread;
  }
  /** Older messages are on their way. */
  get isLoading(): ReadonlySignal<boolean> {
    return this.#isLoading;
  }
  /** Whether there are older messages to ask for. */
  get hasOlder(): ReadonlySignal<boolean> {
    return this.#hasOlder;
  }
  /** Whether what was before the oldest message shown is not kept any more. */
  get isTrimmed(): boolean {
    return this.room.firstOffset > 1;
  }

  /** Shows what an earlier visit knew, while nothing better is known. */
  recall(messages: readonly FoldedMessage[]): void {
    this.#recalled.value = messages;
  }

  /** Looks at the room from now on. */
  open(): void {
    const { room } = this;
    const show = () =>
      batch(() => {
        this.#snapshot.value = this.#view.snapshot;
        this.#hasOlder.value = this.#view.hasOlder;
      });
    this.#off.push(
      this.#view.on("change", show),
      room.on("typing", (users) => {
        this.#typing.value = users.filter((user) => user !== this.#konvert.user);
      }),
      room.on("presence", (presence) => this.#present(presence)),
      room.on("unread", (count) => {
        this.#unread.value = count;
      }),
      room.on("read", ({ user, offset }) => this.#read([{ user, offset }])),
      room.on("reset", ({ forget, reason }) => {
        if (forget) this.#markers.value = new Map();
        // What is trimmed before one has seen anything is no loss to tell of.
        if (forget || reason !== "trimmed" || this.messages.peek().length) this.#remark.value = forget ? "rewritten" : "lost";
      }),
      room.on("refused", (error) => {
        this.#refusal.value = error;
        this.#state.value = "refused";
      }),
    );
    show();
    void this.#attach();
  }

  /** Looks at it no more. */
  close(): void {
    for (const off of this.#off.splice(0)) off();
    this.#view.close();
    this.room.unsubscribe();
  }

  /** Asks for older messages. */
  async older(): Promise<void> {
    if (this.#isLoading.peek() || !this.#view.hasOlder) return;
    this.#isLoading.value = true;
    try {
      await this.#view.older(PAGE_COUNT);
    } catch {
      // Asked again when somebody scrolls there again.
    } finally {
      this.#isLoading.value = false;
    }
  }

  /** Says something; the line before what was new has served. */
  say(text: string, options: PublishOptions = {}): Publishing {
    this.#readOffset.value = -1;
    return this.room.publish(text, options);
  }

  /** A person has seen everything that is here. */
  seen(): void {
    if (this.#state.peek() === "open" && this.room.unread > 0) void this.room.markRead().catch(() => {});
  }

  /** The line before what is new belongs to one visit; the next draws its own. */
  revisit(): void {
    if (this.#state.peek() === "open") this.#readOffset.value = this.#line();
  }

  retry(shown: Shown): void {
    this.#konvert.retry(shown.outboxKey);
  }

  drop(shown: Shown): void {
    this.#konvert.drop(shown.outboxKey);
  }

  async #attach(): Promise<void> {
    const { room } = this;
    try {
      await room.subscribe({ last: PAGE_COUNT, presence: true });
    } catch {
      // `refused` has told why; or nobody looks any more.
      return;
    }
    const line = this.#line();
    await this.#reach(room.unread <= UNREAD_MAX ? line : -1);
    batch(() => {
      this.#unread.value = room.unread;
      this.#readOffset.value = line;
      this.#state.value = "open";
    });
    if (!this.#isDialog) return;
    try {
      this.#read(await this.#konvert.api.get<readonly Receipt[]>(`/api/dialogs/${segment(this.id)}/receipts`));
    } catch {
      // Those who read from now on are heard of all the same.
    }
  }

  /** Where what is new begins. To whoever comes to a plain room for the first time all is new, and no line says more. */
  #line(): number {
    const { unread, readOffset } = this.room;
    return unread > 0 && (readOffset > 0 || this.#isDialog) ? readOffset : -1;
  }

  /** Reads back to the line, and until there is a screenful: edits and reactions take places, but are no messages. */
  async #reach(line: number): Promise<void> {
    try {
      for (;;) {
        const { items, hasOlder } = this.#view;
        const isThere = items.length >= SCREEN_COUNT && (line < 0 || (items[0]?.message.offset ?? 0) <= line + 1);
        if (isThere || !hasOlder) return;
        await this.#view.older(PAGE_COUNT);
      }
    } catch {
      // Then it is where the oldest is.
    }
  }

  #present(presence: Presence): void {
    const before = this.#presence.peek();
    this.#presence.value = presence;
    const now = Date.now();
    for (const user of presence.members.keys()) this.#people.seen(user, true, now);
    // They left this room, and perhaps only this.
    for (const user of before?.members.keys() ?? []) if (!presence.members.has(user)) void this.#people.refresh(user);
  }

  #read(receipts: readonly Receipt[]): void {
    const markers = new Map(this.#markers.peek());
    for (const { user, offset } of receipts) {
      if (user !== this.#konvert.user && offset > (markers.get(user) ?? 0)) markers.set(user, offset);
    }
    this.#markers.value = markers;
  }
}
