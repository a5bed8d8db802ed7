// Who else is in a conversation: who is here, who types, and how far each has read.
//
// Knows no DOM. Invariant: nobody's marker goes back, unless the numbering begins anew; we are not among the others.
import type { Konvert, Presence, Room } from "@konvert/sdk";
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { People } from "./people";
import { type Receipt, segment } from "./resources";
import type { Shown } from "./shown";

/** How far somebody has read, by user id. */
export type Markers = ReadonlyMap<string, number>;

export class Others {
  readonly #konvert: Konvert;
  readonly #room: Room;
  readonly #people: People;
  readonly #typing = signal<readonly string[]>([]);
  readonly #presence: Signal<Presence>;
  readonly #markers = signal<Markers>(new Map());
  /** What an earlier visit knew, until the server has told. */
  readonly #recalled = signal<Markers>(new Map());
  #isTold = false;
  /** Read markers, by user id. */
  readonly markers: ReadonlySignal<Markers> = computed(() => furthest(this.#recalled.value, [...this.#markers.value]));
  /** How far the one who has read furthest has read. */
  readonly readUpTo: ReadonlySignal<number> = computed(() => Math.max(0, ...this.markers.value.values()));

  constructor(konvert: Konvert, room: Room, people: People) {
    this.#konvert = konvert;
    this.#room = room;
    this.#people = people;
    this.#presence = signal(room.presence);
  }

  /** User ids of those who are typing. */
  get typing(): ReadonlySignal<readonly string[]> {
    return this.#typing;
  }
  get presence(): ReadonlySignal<Presence> {
    return this.#presence;
  }

  /** Shows what an earlier visit knew of who has read how far, while nothing better is known. */
  recall(markers: Markers): void {
    if (!this.#isTold) this.#recalled.value = markers;
  }

  /** Hears of them from now on; the answer ends that. */
  open(): () => void {
    const off = [
      this.#room.on("typing", (users) => {
        this.#typing.value = users.filter((user) => user !== this.#konvert.user);
      }),
      this.#room.on("presence", (presence) => this.#present(presence)),
      this.#room.on("read", ({ user, offset }) => this.#read([{ user, offset }])),
      this.#room.on("reset", ({ forget }) => {
        if (!forget) return;
        this.#markers.value = new Map();
        this.#recalled.value = new Map();
      }),
    ];
    return () => {
      for (const one of off) one();
    };
  }

  /** Asks how far each has read. Dialogs have receipts. */
  async ask(): Promise<void> {
    try {
      const receipts = await this.#konvert.api.get<readonly Receipt[]>(`/api/dialogs/${segment(this.#room.name)}/receipts`);
      this.#isTold = true;
      batch(() => {
        this.#read(receipts);
        this.#recalled.value = new Map();
      });
    } catch {
      // Those who read from now on are heard of all the same.
    }
  }

  /** Who has read a message. */
  readersOf({ offset, sender }: Shown): readonly string[] {
    return [...this.markers.value].filter(([user, read]) => read >= offset && user !== sender).map(([user]) => user);
  }

  #present(presence: Presence): void {
    const before = this.#presence.peek();
    this.#presence.value = presence;
    const now = Date.now();
    for (const user of presence.members.keys()) this.#people.seen(user, true, now);
    // They left this room, and perhaps only this.
    for (const user of before.members.keys()) if (!presence.members.has(user)) void this.#people.refresh(user);
  }

  #read(receipts: readonly Receipt[]): void {
    const others = receipts.filter(({ user }) => user !== this.#konvert.user);
    this.#markers.value = furthest(
      this.#markers.peek(),
      others.map(({ user, offset }) => [user, offset] as const),
    );
  }
}

/** Of two markers of one user the one that is further. */
function furthest(markers: Markers, more: readonly (readonly [string, number])[]): Markers {
  const all = new Map(markers);
  for (const [user, offset] of more) if (offset > (all.get(user) ?? 0)) all.set(user, offset);
  return all;
}
