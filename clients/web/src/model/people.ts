// People we have heard of: names, faces, who is online.
//
// Invariant: one signal per person for as long as the app runs, so that a face drawn anywhere follows what is learnt
// anywhere. Whoever nobody has told us of is asked for once.
import type { Api } from "@konvert/sdk";
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Page, type Person, segment } from "./resources";

export class People {
  readonly #api: Api;
  readonly #known = new Map<string, Signal<Person | null>>();
  readonly #asked = new Set<string>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** What is known of somebody; asks when it is nothing. */
  get(id: string): ReadonlySignal<Person | null> {
    const person = this.#of(id);
    if (!person.peek() && !this.#asked.has(id)) void this.refresh(id);
    return person;
  }

  /** What is known of somebody, or nothing: nobody is asked. */
  known(id: string): ReadonlySignal<Person | null> {
    return this.#of(id);
  }

  /** Takes in what some answer told. */
  learn(people: readonly Person[]): void {
    for (const person of people) this.#of(person.id).value = person;
  }

  /** Somebody was seen to come or go. */
  seen(id: string, online: boolean, nowMs: number): void {
    const person = this.#of(id);
    const known = person.peek();
    if (known && known.online !== online) person.value = { ...known, online, last_seen_ms: nowMs };
  }

  /** Asks how somebody is now. */
  async refresh(id: string): Promise<void> {
    this.#asked.add(id);
    try {
      this.learn([await this.#api.get<Person>(`/api/users/${segment(id)}`)]);
    } catch {
      // Messages have their sender's name with them: nothing depends on this. It may be asked again.
      this.#asked.delete(id);
    }
  }

  /** Finds people by login or name. */
  async find(query: string, abort?: AbortSignal): Promise<readonly Person[]> {
    const { items } = await this.#api.get<Page<Person>>("/api/users", { query: { query, limit: 20 }, ...(abort ? { signal: abort } : {}) });
    this.learn(items);
    return items;
  }

  #of(id: string): Signal<Person | null> {
    let person = this.#known.get(id);
    if (!person) this.#known.set(id, (person = signal(null)));
    return person;
  }
}
