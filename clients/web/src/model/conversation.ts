// One conversation: a room that somebody looks at, as signals.
//
// The SDK's view owns what is shown; this adds who has read how far, where the unread begins, and when to read on.
// Knows no DOM. Invariants: subscribed from `open()` to `close()`; the read marker moves only when told that a person
// has seen; the line before what is new stays where it was when the conversation was opened.
import type { FoldedMessage, Hole, Konvert, KonvertError, OutboxMessage, Presence, Publishing, PublishOptions, Room } from "@konvert/sdk";
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { Desk } from "./conversation_desk";
import { History } from "./conversation_history";
import { type Markers, Others } from "./conversation_others";
import { Remarks } from "./conversation_remarks";
import type { People } from "./people";
import { type Row, rowsOf } from "./rows";
import { type Shown, shownOf, shownPending } from "./shown";
import { joinFiles } from "./shown_files";

/** Messages to begin with. */
const FIRST_COUNT = 50;
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
  readonly #isDialog: boolean;
  readonly #off: (() => void)[] = [];
  readonly #history: History;
  readonly #remarks: Remarks;
  readonly #others: Others;
  /** What is being written here. */
  readonly desk: Desk;
  readonly #state = signal<ConversationState>("opening");
  readonly #refusal = signal<KonvertError | null>(null);
  readonly #remark = signal<Remark>(null);
  readonly #unread = signal(0);
  readonly #readOffset = signal(-1);
  /** A message to be shown, or the end, by whoever shows messages; `null` once that has been done. */
  readonly wanted = signal<{ readonly offset: number } | "end" | null>(null);

  /** What an earlier visit knew, until the server has told of this one. */
  readonly #recalled = signal<readonly FoldedMessage[]>([]);
  /** Messages that are stored, oldest first. */
  readonly stored: ReadonlySignal<readonly FoldedMessage[]> = computed(() => {
    const { items } = this.#history.snapshot.value;
    return items.length || this.#state.value === "open" ? items : this.#recalled.value;
  });

  /** Messages as they are seen, oldest first, with those on their way at the end. */
  readonly messages: ReadonlySignal<readonly Shown[]> = computed(() => {
    const { pending } = this.#history.snapshot.value;
    const { user } = this.#konvert;
    const stored = this.stored.value;
    const remarks = this.#remarksOf(stored);
    return [
      ...stored.map((item) => shownOf(item, user, remarks.get(item.message.offset))),
      ...pending.map((message) => shownPending(message, user)),
    ];
  });
  /** The same as rows to draw. */
  readonly rows: ReadonlySignal<readonly Row[]> = computed(() => rowsOf(this.messages.value, this.#readOffset.value, this.hole.value));

  /** @param isDialog a dialog has members: what was said before one came counts as read, and there are receipts */
  constructor(id: string, konvert: Konvert, people: People, isDialog: boolean) {
    this.id = id;
    this.#isDialog = isDialog;
    this.#konvert = konvert;
    this.room = konvert.room(id);
    this.#others = new Others(konvert, this.room, people);
    this.#history = new History(this.room);
    this.#remarks = new Remarks(konvert, this.room);
    this.desk = new Desk(konvert);
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
  /** Why an edit, a delete or a reaction of ours was refused. */
  get problem(): ReadonlySignal<KonvertError | null> {
    return this.#remarks.problem;
  }
  forgive(): void {
    this.#remarks.forgive();
  }
  /** User ids of those who are typing. */
  get typing(): ReadonlySignal<readonly string[]> {
    return this.#others.typing;
  }
  get presence(): ReadonlySignal<Presence> {
    return this.#others.presence;
  }
  /** Others' read markers, by user id. */
  get markers(): ReadonlySignal<Markers> {
    return this.#others.markers;
  }
  /** How far the one who has read furthest has read. */
  get readUpTo(): ReadonlySignal<number> {
    return this.#others.readUpTo;
  }
  /** Countable messages behind our own marker. */
  get unread(): ReadonlySignal<number> {
    return this.#unread;
  }
  /** Older messages are on their way. */
  get isLoading(): ReadonlySignal<boolean> {
    return this.#history.isLoading;
  }
  /** Where messages are missing for a while between those that are here. */
  get hole(): ReadonlySignal<Hole | null> {
    return this.#history.hole;
  }
  /** Whether there are older messages to ask for. */
  get hasOlder(): ReadonlySignal<boolean> {
    return this.#history.hasOlder;
  }
  /** Whether what was before the oldest message shown is not kept any more. */
  get isTrimmed(): boolean {
    return this.room.firstOffset > 1;
  }

  /** Shows what an earlier visit knew, while nothing better is known. */
  recall(messages: readonly FoldedMessage[], markers: Markers): void {
    this.#recalled.value = messages;
    if (this.#isDialog) this.#others.recall(markers);
  }

  /** Looks at the room from now on. */
  open(): void {
    const { room } = this;
    this.#off.push(
      this.#remarks.open(),
      this.#history.open(),
      this.#others.open(),
      room.on("unread", (count) => {
        this.#unread.value = count;
      }),
      room.on("reset", ({ forget, reason }) => {
        // What is trimmed before one has seen anything is no loss to tell of.
        if (forget || reason !== "trimmed" || this.messages.peek().length) this.#remark.value = forget ? "rewritten" : "lost";
      }),
      room.on("refused", (error) => {
        this.#refusal.value = error;
        this.#state.value = "refused";
      }),
    );
    void this.#attach();
  }

  /** Looks at it no more. */
  close(): void {
    for (const off of this.#off.splice(0)) off();
    this.room.unsubscribe();
    this.desk.close();
  }

  /** Asks for older messages. */
  older(): Promise<void> {
    return this.#history.older();
  }

  /** Says something; the line before what was new has served. */
  say(text: string, options: PublishOptions = {}): Publishing {
    this.#readOffset.value = -1;
    this.wanted.value = "end";
    return this.room.publish(text, options);
  }

  /** Says one of our messages anew, with the files it had. What the server refuses is told by `problem`. */
  edit(shown: Shown, said: string, mentions: readonly string[] = []): void {
    const text = joinFiles(said, shown.said === shown.text ? [] : shown.files);
    if (text !== shown.text) this.room.edit(shown.offset, text, { mentions });
  }

  /** Deletes a message for everybody. */
  remove(shown: Shown): void {
    this.room.delete(shown.offset);
  }

  /** Reacts to a message, or takes that back. */
  react(shown: Shown, reaction: string): void {
    const known = shown.reactions.find(({ text }) => text === reaction);
    const own = known?.users.indexOf(this.#konvert.user) ?? -1;
    const offset = known?.offsets[own] ?? 0;
    // One that is on its way cannot be taken back yet.
    if (own >= 0 && !offset) return;
    if (offset) this.room.delete(offset);
    else this.room.react(shown.offset, reaction);
  }

  /** Who of the others has read a message. */
  readersOf(shown: Shown): readonly string[] {
    return this.#others.readersOf(shown);
  }

  /** A person has seen everything up to a message; by default all that is here. */
  seen(offset = this.room.position?.offset ?? 0): void {
    if (this.#state.peek() === "open" && this.room.unread > 0) void this.room.markRead(offset).catch(() => {});
  }

  /** Whether the line before what is new is further up than what is here. */
  hasLineAbove(): boolean {
    const line = this.#readOffset.peek();
    return line >= 0 && this.hasOlder.peek() && (this.messages.peek()[0]?.offset ?? 0) > line + 1;
  }

  /** Reads back to the line before what is new; whether it is here now. */
  async goToLine(): Promise<boolean> {
    const line = this.#readOffset.peek();
    return line >= 0 && (await this.#history.reach(line + 1));
  }

  /** Shows a message, however far up it is. Tells whether it is still there. */
  async goTo(offset: number): Promise<boolean> {
    if (!(await this.#history.reach(offset)) || !this.#history.get(offset)) return false;
    this.wanted.value = { offset };
    return true;
  }

  /** A message that another one answers; `undefined` until it is known, `null` when it is not kept any more. */
  quoted(offset: number): ReadonlySignal<Shown | null | undefined> {
    const anywhere = this.#history.anywhere(offset);
    return computed(() => {
      // What an earlier visit knew is here without asking.
      const recalled = this.#state.value === "open" ? undefined : this.#recalled.value.find(({ message }) => message.offset === offset);
      const item = recalled ?? anywhere.value;
      return item && shownOf(item, this.#konvert.user, this.#remarks.waiting.value.get(offset));
    });
  }

  /** What somebody who is here, or was heard here, is called. */
  nameOf(user: string): string | undefined {
    return this.presence.peek().members.get(user)?.name ?? this.messages.peek().findLast(({ sender }) => sender === user)?.senderName;
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

  /** Remarks that wait, by the message that they change: taking back a reaction names the reaction. */
  #remarksOf(items: readonly FoldedMessage[]): ReadonlyMap<number, readonly OutboxMessage[]> {
    const waiting = this.#remarks.waiting.value;
    if (!waiting.size) return waiting;
    const found = new Map<number, readonly OutboxMessage[]>();
    for (const [offset, remarks] of waiting) {
      const isReaction = ({ reactions }: FoldedMessage) => reactions.some(({ offsets }) => offsets.includes(offset));
      const at = this.#history.get(offset) ? offset : items.find(isReaction)?.message.offset;
      if (at) found.set(at, [...(found.get(at) ?? []), ...remarks]);
    }
    return found;
  }

  async #attach(): Promise<void> {
    const { room } = this;
    try {
      await room.subscribe({ last: FIRST_COUNT, presence: true });
    } catch {
      // `refused` has told why; or nobody looks any more.
      return;
    }
    const line = this.#line();
    await this.#history.begin(room.unread <= UNREAD_MAX ? line : -1);
    batch(() => {
      this.#unread.value = room.unread;
      this.#readOffset.value = line;
      this.#state.value = "open";
    });
    if (this.#isDialog) await this.#others.ask();
  }

  /** Where what is new begins. To whoever comes to a plain room for the first time all is new, and no line says more. */
  #line(): number {
    const { unread, readOffset } = this.room;
    return unread > 0 && (readOffset > 0 || this.#isDialog) ? readOffset : -1;
  }
}
