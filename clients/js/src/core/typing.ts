// Who is typing: signals, throttled on the way out and forgotten after a while on the way in.
//
// Invariant: at most one signal in three seconds, however fast somebody types; nobody types for ever.
import { toText } from "./message.js";
import type { Platform } from "./platform.js";

/** The payload of the signal; other clients of Konvert say the same. */
export const TYPING = "typing";
const SAY_EVERY_MS = 3_000;
const FORGET_MS = 5_000;
const TYPERS_MAX = 100;

export class Typing {
  readonly #platform: Platform;
  readonly #changed: (users: readonly string[]) => void;
  readonly #typers = new Map<string, () => void>();
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(platform: Platform, changed: (users: readonly string[]) => void) {
    this.#platform = platform;
    this.#changed = changed;
  }

  get users(): readonly string[] {
    return [...this.#typers.keys()];
  }

  /** A key was pressed: whether that is worth a signal. */
  shouldSay(): boolean {
    const now = this.#platform.now();
    if (now - this.#saidAt < SAY_EVERY_MS) return false;
    this.#saidAt = now;
    return true;
  }

  /** Something was sent: the next key is worth a signal again. */
  said(): void {
    this.#saidAt = Number.NEGATIVE_INFINITY;
  }

  /** A signal came. */
  heard(user: string, payload: Uint8Array): void {
    if (payload.length !== TYPING.length || toText(payload) !== TYPING) return;
    const cancel = this.#typers.get(user);
    if (!cancel && this.#typers.size >= TYPERS_MAX) return;
    cancel?.();
    this.#typers.set(
      user,
      this.#platform.after(FORGET_MS, () => this.stopped(user)),
    );
    if (!cancel) this.#changed(this.users);
  }

  /** Somebody has said it, or has gone. */
  stopped(user: string): void {
    const cancel = this.#typers.get(user);
    if (!cancel) return;
    cancel();
    this.#typers.delete(user);
    this.#changed(this.users);
  }

  /** We are not there any more. */
  clear(): void {
    for (const user of this.users) this.stopped(user);
  }
}
