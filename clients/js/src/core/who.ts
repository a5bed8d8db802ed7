// Keeps a room's presence up to date: applies diffs, and asks for the snapshot where one is missing.
//
// Owns when to ask. Invariant: one question at a time and not more than one a second, and none is forgotten.
import type { Platform } from "./platform.js";
import { type Presence, type PresenceChange, PresenceLog } from "./presence.js";
import type { Requests } from "./requests.js";
import type { PresenceDiff, PresenceState } from "./wire.js";

const ASK_EVERY_MS = 1_000;

export class Who {
  readonly #room: string;
  readonly #host: { readonly platform: Platform; readonly requests: Requests };
  readonly #changed: (change: PresenceChange) => void;
  readonly #log = new PresenceLog();
  #isAsking = false;
  #isStale = false;

  constructor(room: string, host: { readonly platform: Platform; readonly requests: Requests }, changed: (change: PresenceChange) => void) {
    this.#room = room;
    this.#host = host;
    this.#changed = changed;
  }

  get held(): Presence {
    return this.#log.held;
  }

  snapshot(state: PresenceState): void {
    this.#changed(this.#log.snapshot(state));
  }

  diff(diff: PresenceDiff): void {
    const change = this.#log.diff(diff);
    if (change === "ask") this.#ask();
    else if (change) this.#changed(change);
  }

  #ask(): void {
    this.#isStale = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { platform, requests } = this.#host;
    requests
      .ask("presence", { room: this.#room })
      .then((state) => this.snapshot(state))
      // Refused: then there is no presence to see.
      .catch(() => {})
      .finally(() =>
        platform.after(ASK_EVERY_MS, () => {
          this.#isAsking = false;
          if (this.#isStale) this.#ask();
        }),
      );
  }
}
