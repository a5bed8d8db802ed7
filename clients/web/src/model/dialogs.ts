// One's dialogs, kept live: read once per connection, then by what `changed` tells.
//
// Owns the list and its order. Invariants: what was told while a list was being read wins over what the list says; the
// order is the server's: pinned ones first, then by what happened last.
import type { Api, Konvert } from "@konvert/sdk";
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { People } from "./people";
import { type Dialog, type LastMessage, type Page, type Person, segment } from "./resources";

const PATH = /^\/api\/dialogs\/([^/]+)$/;
const PAGE_COUNT = 100;

/** `loading` until something can be shown; `failed` when nothing can. */
export type ListState = "loading" | "ready" | "failed";

export class Dialogs {
  readonly #api: Api;
  readonly #konvert: Konvert;
  readonly #people: People;
  readonly #all = signal<ReadonlyMap<string, Dialog>>(new Map());
  readonly #left = signal<ReadonlyMap<string, Dialog>>(new Map());
  readonly #state = signal<ListState>("loading");
  readonly #isFresh = signal(false);
  /** Told of while a list is being read; `null` when none is. */
  #told: Set<string> | null = null;
  /** To where one's own words moved one's read markers. */
  readonly #saidTo = new Map<string, number>();

  /** All of them, those put away too, in order. */
  readonly all: ReadonlySignal<readonly Dialog[]> = computed(() => [...this.#all.value.values()].sort(byPlace));
  /** Those not put away. */
  readonly list: ReadonlySignal<readonly Dialog[]> = computed(() => this.all.value.filter(({ archived }) => !archived));
  /** Unread messages of all that are not muted, for the window's title. */
  readonly unread: ReadonlySignal<number> = computed(() =>
    this.list.value.reduce((sum, dialog) => sum + (isMuted(dialog, Date.now()) ? dialog.mentions : dialog.unread), 0),
  );

  constructor(konvert: Konvert, people: People) {
    this.#api = konvert.api;
    this.#konvert = konvert;
    this.#people = people;
    konvert.on("changed", ({ path, body }) => this.#changed(path, body));
    konvert.on("outbox", ({ room, published }) => published && this.#said(room, published.position.offset));
    konvert.on("state", ({ name }) => {
      if (name === "connected") void this.load();
    });
  }

  get state(): ReadonlySignal<ListState> {
    return this.#state;
  }

  /** Something is shown, and the server has told nothing yet. */
  readonly isRecalled: ReadonlySignal<boolean> = computed(() => this.#state.value === "ready" && !this.#isFresh.value);

  /** The server has told the list at least once. */
  get isFresh(): ReadonlySignal<boolean> {
    return this.#isFresh;
  }

  /** A dialog by its id. Tracked by signals. */
  get(id: string): Dialog | undefined {
    return this.#all.value.get(id);
  }

  /** A dialog as it was when one was last in it, if that was in this visit. Tracked by signals. */
  left(id: string): Dialog | undefined {
    return this.#left.value.get(id);
  }

  /** What an earlier session knew, to be shown until the server has told better. */
  recall(dialogs: readonly Dialog[]): void {
    if (this.#state.peek() !== "loading" || !dialogs.length) return;
    this.#put(dialogs);
    this.#state.value = "ready";
  }

  /** Reads the whole list anew. */
  async load(): Promise<void> {
    if (this.#told) return;
    const told = (this.#told = new Set());
    try {
      const read: Dialog[] = [];
      for (const archived of [false, true]) {
        let cursor: string | null | undefined;
        do {
          const query = { archived, limit: PAGE_COUNT, cursor: cursor ?? undefined };
          const page: Page<Dialog> = await this.#api.get("/api/dialogs", { query });
          read.push(...page.items);
          cursor = page.next;
        } while (cursor);
      }
      const before = [...this.#all.peek().values()];
      const kept = before.filter(({ id }) => told.has(id));
      const all = new Map([...read.filter(({ id }) => !told.has(id)), ...kept].map((dialog) => [dialog.id, dialog]));
      batch(() => {
        this.#leave(before.filter(({ id }) => !all.has(id)));
        this.#all.value = all;
      });
      this.#learn(read);
      this.#state.value = "ready";
      this.#isFresh.value = true;
    } catch {
      // The next connection reads it again.
      if (this.#state.peek() === "loading") this.#state.value = "failed";
    } finally {
      this.#told = null;
    }
  }

  /** The direct dialog with somebody; made if there is none. */
  async openDirect(person: string): Promise<Dialog> {
    const known = this.all.peek().find(({ kind, user, mode }) => kind === "direct" && user?.id === person && mode === "server_readable");
    if (known) return known;
    return this.took(await this.#api.post<Dialog>("/api/dialogs", { kind: "direct", members: [person] }));
  }

  /** Takes in a dialog that some request answered with. */
  took(dialog: Dialog): Dialog {
    this.#told?.add(dialog.id);
    this.#put([dialog]);
    return dialog;
  }

  /** One is in it no more. */
  lost(id: string): void {
    this.#told?.add(id);
    this.#remove(id);
  }

  #changed(path: string, body: unknown): void {
    const id = PATH.exec(path)?.[1];
    if (!id) return;
    const name = decodeURIComponent(id);
    this.#told?.add(name);
    if (body === null) return this.#remove(name);
    // All of it: what is not told of it any more, such as a picture, it has no more.
    if ("unread" in (body as object)) return this.#put([body as Dialog]);
    // In big dialogs only the place is told; the rest is asked for.
    void this.#ask(name);
    const known = this.#all.peek().get(name);
    if (known) this.#put([{ ...known, ...(body as Dialog) }]);
  }

  /** One's own words are no news to oneself, wherever one is by now: who had read all before them has read them. */
  #said(id: string, offset: number): void {
    const dialog = this.#all.peek().get(id);
    if (!dialog) return;
    const isCounted = dialog.position.offset >= offset;
    const hadReadAll = dialog.unread <= Number(isCounted) || this.#saidTo.get(id) === offset - 1;
    if (!hadReadAll) return;
    this.#saidTo.set(id, offset);
    // The next look at the dialog moves it, should this fail.
    void this.#konvert
      .room(id)
      .markRead(offset)
      .catch(() => {});
  }

  async #ask(id: string): Promise<void> {
    try {
      this.#put([await this.#api.get<Dialog>(`/api/dialogs/${segment(id)}`)]);
    } catch {
      // What is shown is as it was; the next change or connection asks again.
    }
  }

  #put(dialogs: readonly Dialog[]): void {
    const all = new Map(this.#all.peek());
    for (const dialog of dialogs) all.set(dialog.id, dialog);
    this.#all.value = all;
    this.#learn(dialogs);
  }

  #remove(id: string): void {
    const all = new Map(this.#all.peek());
    const dialog = all.get(id);
    if (!dialog) return;
    all.delete(id);
    batch(() => {
      this.#leave([dialog]);
      this.#all.value = all;
    });
  }

  #leave(dialogs: readonly Dialog[]): void {
    this.#left.value = new Map([...this.#left.peek(), ...dialogs.map((dialog) => [dialog.id, dialog] as const)]);
  }

  #learn(dialogs: readonly Dialog[]): void {
    this.#people.learn(dialogs.flatMap(({ user }): Person[] => (user ? [user] : [])));
  }
}

/** When what the list shows of it was said: a reaction moves it up, and says nothing. */
export const saidMs = ({ last_message, activity_ms }: Pick<Dialog, "last_message" | "activity_ms">) => last_message?.time_ms ?? activity_ms;

/** What a dialog's last message says, in the list. */
export function saidLast({ erased, text, blobs, payload }: LastMessage): "deleted" | "text" | "file" | "binary" | "nothing" {
  if (erased) return "deleted";
  if (text?.trim()) return "text";
  if (blobs?.length) return "file";
  return payload ? "binary" : "nothing";
}

/** Whether one wants no notice of it. */
export const isMuted = ({ muted_until_ms }: Pick<Dialog, "muted_until_ms">, nowMs: number) => muted_until_ms > nowMs;

function byPlace(a: Dialog, b: Dialog): number {
  return Number(b.pinned) - Number(a.pinned) || b.activity_ms - a.activity_ms || (a.id < b.id ? -1 : 1);
}
