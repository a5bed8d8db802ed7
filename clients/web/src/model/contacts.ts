// One's contacts, kept live: read once per connection, then by what `changed` tells.
//
// Owns who is what to one. Invariant: what was told while the list was being read wins over what the list says.
import type { Api, Konvert } from "@konvert/sdk";
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { ListState } from "./dialogs";
import type { People } from "./people";
import { type Contact, type ContactState, type Page, segment } from "./resources";

const PATH = /^\/api\/contacts\/([^/]+)$/;
const PAGE_COUNT = 100;

/** What can be done to a contact. */
export type ContactAct = "request" | "accept" | "decline" | "cancel" | "block" | "unblock" | "remove";

/** What one can do to somebody who is this to one; the first is what one most likely wants. */
export function actsFor(state: ContactState | undefined): readonly ContactAct[] {
  if (state === "received") return ["accept", "decline", "block"];
  if (state === "sent") return ["cancel", "block"];
  if (state === "friend") return ["remove", "block"];
  return state === "blocked" ? ["unblock"] : ["request", "block"];
}

export class Contacts {
  readonly #api: Api;
  readonly #people: People;
  readonly #all = signal<ReadonlyMap<string, Contact>>(new Map());
  readonly #state = signal<ListState>("loading");
  /** Told of while the list is being read; `null` when it is not. */
  #told: Set<string> | null = null;

  /** All of them, by name. */
  readonly all: ReadonlySignal<readonly Contact[]> = computed(() =>
    [...this.#all.value.values()].sort((a, b) => a.user.name.localeCompare(b.user.name)),
  );
  /** Requests that wait for an answer of ours. */
  readonly waiting: ReadonlySignal<number> = computed(() => this.of("received").length);

  constructor(konvert: Konvert, people: People) {
    this.#api = konvert.api;
    this.#people = people;
    konvert.on("changed", ({ path, body }) => this.#changed(path, body as Contact | null));
    konvert.on("state", ({ name }) => {
      if (name === "connected") void this.load();
    });
  }

  get state(): ReadonlySignal<ListState> {
    return this.#state;
  }

  /** Those who are this to one. Tracked by signals. */
  of(state: ContactState): readonly Contact[] {
    return this.all.value.filter((contact) => contact.state === state);
  }

  /** What somebody is to one. Tracked by signals. */
  stateOf(user: string): ContactState | undefined {
    return this.#all.value.get(user)?.state;
  }

  /** What an earlier session knew, to be shown until the server has told better. */
  recall(contacts: readonly Contact[]): void {
    if (this.#state.peek() !== "loading" || !contacts.length) return;
    this.#all.value = new Map([...contacts.map((contact) => [contact.user.id, contact] as const), ...this.#all.peek()]);
    this.#people.learn(contacts.map(({ user }) => user));
    this.#state.value = "ready";
  }

  /** Reads the whole list anew. */
  async load(): Promise<void> {
    if (this.#told) return;
    const told = (this.#told = new Set());
    try {
      const read: Contact[] = [];
      let cursor: string | null | undefined;
      do {
        const page: Page<Contact> = await this.#api.get("/api/contacts", { query: { limit: PAGE_COUNT, cursor: cursor ?? undefined } });
        read.push(...page.items);
        cursor = page.next;
      } while (cursor);
      const kept = [...this.#all.peek().values()].filter(({ user }) => told.has(user.id));
      this.#all.value = new Map([...read.filter(({ user }) => !told.has(user.id)), ...kept].map((contact) => [contact.user.id, contact]));
      this.#people.learn(read.map(({ user }) => user));
      this.#state.value = "ready";
    } catch {
      // The next connection reads it again.
      if (this.#state.peek() === "loading") this.#state.value = "failed";
    } finally {
      this.#told = null;
    }
  }

  /** Does something to a contact. Fails as the server refuses. */
  async act(user: string, act: ContactAct): Promise<void> {
    const path = `/api/contacts/${segment(user)}`;
    const now = act === "remove" ? await this.#api.delete<undefined>(path) : await this.#api.post<Contact | undefined>(`${path}/${act}`);
    this.#put(user, now ?? null);
  }

  #changed(path: string, body: Contact | null): void {
    const id = PATH.exec(path)?.[1];
    if (id) this.#put(decodeURIComponent(id), body);
  }

  #put(user: string, contact: Contact | null): void {
    this.#told?.add(user);
    const all = new Map(this.#all.peek());
    if (contact) all.set(user, contact);
    else all.delete(user);
    this.#all.value = all;
    if (contact) this.#people.learn([contact.user]);
  }
}
