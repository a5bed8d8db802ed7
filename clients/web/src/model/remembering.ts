// Remembers what is shown, and shows what is remembered.
//
// Owns when something is written down: at once, and what changes again soon a while later. Invariant: what the server has
// told is never replaced by what was remembered.
import { effect, type Signal } from "@preact/signals";
import type { Contacts } from "./contacts";
import type { Conversation } from "./conversation";
import type { Dialogs } from "./dialogs";
import type { Memory } from "./memory";

/** Changes closer together than this are written down once, milliseconds. */
const PAUSE_MS = 500;

export class Remembering {
  readonly #memory: Memory;
  readonly #off: (() => void)[] = [];
  readonly #followed = new Map<Conversation, () => void>();

  constructor(memory: Memory, dialogs: Dialogs, contacts: Contacts, isLobbyOpen: Signal<boolean>) {
    this.#memory = memory;
    void memory.list<Parameters<Dialogs["recall"]>[0][number]>("dialogs").then((list) => dialogs.recall(list));
    void memory.list<Parameters<Contacts["recall"]>[0][number]>("contacts").then((list) => contacts.recall(list));
    void memory.list<boolean>("lobby").then(([wasOpen]) => {
      isLobbyOpen.value ||= wasOpen === true;
    });
    this.#off.push(
      written(
        () => isLobbyOpen.value || null,
        () => memory.keepList("lobby", [true]),
      ),
      written(
        () => (dialogs.isFresh.value ? dialogs.all.value : null),
        (list) => memory.keepList("dialogs", list),
      ),
      written(
        () => (contacts.state.value === "ready" ? contacts.all.value : null),
        (list) => memory.keepList("contacts", list),
      ),
    );
  }

  /** A conversation has been opened. */
  follow(conversation: Conversation): void {
    const { id } = conversation;
    void Promise.all([this.#memory.room(id), this.#memory.markers(id)]).then(([items, markers]) => conversation.recall(items, markers));
    const messages = written(
      // With a hole in it, it would look whole the next time.
      () => (conversation.state.value === "open" && !conversation.hole.value ? conversation.stored.value : null),
      (items) => this.#memory.keepRoom(id, items),
    );
    const markers = written(
      () => (conversation.state.value === "open" && conversation.markers.value.size ? conversation.markers.value : null),
      (known) => this.#memory.keepMarkers(id, known),
    );
    this.#followed.set(conversation, () => {
      messages();
      markers();
    });
  }

  unfollow(conversation: Conversation): void {
    this.#followed.get(conversation)?.();
    this.#followed.delete(conversation);
  }

  close(): void {
    for (const off of this.#off.splice(0)) off();
  }
}

/** Writes a value down at once, and what it becomes soon after a while later. Gives back how to stop. */
function written<Value>(read: () => Value | null, write: (value: Value) => unknown): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: Value | null = null;
  const now = () => {
    timer = undefined;
    if (last === null) return;
    void write(last);
    last = null;
    timer = setTimeout(now, PAUSE_MS);
  };
  const off = effect(() => {
    const value = read();
    if (value === null) return;
    last = value;
    // A page may be closed at any moment.
    if (timer === undefined) now();
  });
  return () => {
    off();
    clearTimeout(timer);
    timer = undefined;
    if (last !== null) void write(last);
  };
}
