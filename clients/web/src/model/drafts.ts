// What was written and not sent, one text per room, kept over reloads.
//
// Invariant: belongs to a user: whoever signs in next in this browser sees nothing of it.
import { type ReadonlySignal, signal } from "@preact/signals";

/** `localStorage`, or anything of its shape. */
export interface DraftShelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

export class Drafts {
  readonly #shelf: DraftShelf;
  readonly #name: string;
  readonly #all = signal<Readonly<Record<string, string>>>({});

  constructor(user: string, shelf: DraftShelf) {
    this.#shelf = shelf;
    this.#name = `konvert.drafts ${user}`;
    try {
      this.#all.value = JSON.parse(shelf.getItem(this.#name) ?? "{}");
    } catch {
      // Whatever lies there is no draft.
    }
  }

  /** By room. */
  get all(): ReadonlySignal<Readonly<Record<string, string>>> {
    return this.#all;
  }

  get(room: string): string {
    return this.#all.peek()[room] ?? "";
  }

  set(room: string, text: string): void {
    const { [room]: _old, ...rest } = this.#all.peek();
    this.#all.value = text.trim() ? { ...rest, [room]: text } : rest;
    try {
      this.#shelf.setItem(this.#name, JSON.stringify(this.#all.peek()));
    } catch {
      // No room left: it lives as long as the tab.
    }
  }
}
