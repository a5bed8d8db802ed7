// The open room, which is no dialog: whether one may enter it, and how much of it is new.
//
// Owns being told of it while nobody looks at it, unseen by those who are there. Knows no DOM. Invariant: to whoever has
// never been there nothing is unread.
import type { Konvert } from "@konvert/sdk";
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { segment } from "./resources";

/** The room's name, if the server has it. */
export const LOBBY = "lobby";

export class Lobby {
  readonly #konvert: Konvert;
  readonly #isOpen = signal(false);
  readonly #unread = signal(0);
  readonly #off: (() => void)[] = [];

  constructor(konvert: Konvert) {
    this.#konvert = konvert;
    const room = konvert.room(LOBBY);
    this.#off.push(
      konvert.on("state", ({ name }) => {
        if (name === "connected") void this.#look();
      }),
      room.on("unread", (count) => {
        this.#unread.value = room.readOffset > 0 ? count : 0;
      }),
      // Whoever looked at it has left it; what happens there is still to be told.
      room.on("state", (state) => {
        if (state === "idle" && this.#isOpen.peek()) queueMicrotask(() => this.#follow());
      }),
    );
  }

  /** Whether this user may enter. An earlier visit may know before the server has told. */
  get isOpen(): Signal<boolean> {
    return this.#isOpen;
  }
  /** Messages since one was there. */
  get unread(): ReadonlySignal<number> {
    return this.#unread;
  }

  close(): void {
    for (const off of this.#off.splice(0)) off();
  }

  async #look(): Promise<void> {
    try {
      await this.#konvert.api.get(`/api/dialogs/${segment(LOBBY)}/messages`, { query: { limit: 1 } });
      this.#isOpen.value = true;
      this.#follow();
    } catch {
      // Not for us, or not now: the next connection looks again.
    }
  }

  #follow(): void {
    const room = this.#konvert.room(LOBBY);
    // Refused is told by the room, and the row leads to where that is said.
    if (this.#off.length && room.state === "idle") room.subscribe().catch(() => {});
  }
}
