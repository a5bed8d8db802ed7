// The members of one dialog, while somebody looks at them.
//
// Invariants: live from `open()` to `close()`; owners first, then by name.
import type { Konvert } from "@konvert/sdk";
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { ListState } from "./dialogs";
import { ROLES } from "./groups";
import type { People } from "./people";
import { type Member, type Page, segment } from "./resources";

const PAGE_COUNT = 100;

export class Members {
  readonly #konvert: Konvert;
  readonly #people: People;
  readonly #path: string;
  readonly #all = signal<ReadonlyMap<string, Member>>(new Map());
  readonly #state = signal<ListState>("loading");
  readonly #next = signal<string | null>(null);
  readonly #off: (() => void)[] = [];

  readonly list: ReadonlySignal<readonly Member[]> = computed(() =>
    [...this.#all.value.values()].sort(
      (a, b) => ROLES.indexOf(b.role) - ROLES.indexOf(a.role) || a.user.name.localeCompare(b.user.name) || (a.user.id < b.user.id ? -1 : 1),
    ),
  );

  constructor(dialog: string, konvert: Konvert, people: People) {
    this.#konvert = konvert;
    this.#people = people;
    this.#path = `/api/dialogs/${segment(dialog)}/members`;
  }

  get state(): ReadonlySignal<ListState> {
    return this.#state;
  }
  /** Whether there are more to ask for. */
  get hasMore(): boolean {
    return this.#next.value !== null;
  }

  open(): void {
    this.#off.push(
      this.#konvert.on("changed", ({ path, body }) => {
        if (!path.startsWith(`${this.#path}/`)) return;
        this.put(decodeURIComponent(path.slice(this.#path.length + 1)), body as Member | null);
      }),
      this.#konvert.on("state", ({ name }) => {
        if (name === "connected") void this.more(true);
      }),
    );
    void this.more(true);
  }

  close(): void {
    for (const off of this.#off.splice(0)) off();
  }

  /** Takes in what somebody is now; `null`: no member any more. */
  put(user: string, member: Member | null): void {
    const all = new Map(this.#all.peek());
    if (member) all.set(user, member);
    else all.delete(user);
    this.#all.value = all;
    if (member) this.#people.learn([member.user]);
  }

  /** Asks for the next page, or for all anew. */
  async more(fromStart = false): Promise<void> {
    try {
      const cursor = fromStart ? undefined : (this.#next.peek() ?? undefined);
      const page = await this.#konvert.api.get<Page<Member>>(this.#path, { query: { limit: PAGE_COUNT, cursor } });
      const before = fromStart ? [] : this.#all.peek().values();
      this.#all.value = new Map([...before, ...page.items].map((member) => [member.user.id, member]));
      this.#next.value = page.next ?? null;
      this.#people.learn(page.items.map(({ user }) => user));
      this.#state.value = "ready";
    } catch {
      if (this.#state.peek() === "loading") this.#state.value = "failed";
    }
  }
}
