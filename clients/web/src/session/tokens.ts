// Tokens of whoever is signed in, kept for all tabs, and the one right to refresh them.
//
// Knows no screen and no socket. Invariants: a refresh token is presented once, by one tab at a time (a second time
// would end the sign-in); what another tab has got meanwhile is used instead of asking again.
import type { TokenNeed } from "@konvert/sdk";
import { exclusively } from "./lock";
import type { Succession } from "./succession";

/** Who is signed in, as the server tells it. */
export interface Me {
  readonly id: string;
  readonly name: string;
  readonly login: string | null;
  readonly about: string;
  readonly avatar: string | null;
  readonly email: string | null;
  readonly role: "user" | "operator" | "administrator";
  readonly origin: string;
}

/** What this device holds of a sign-in. */
export interface Held {
  readonly user: Me;
  readonly access: string;
  /** When `access` ends, milliseconds since 1970 by the server's clock. */
  readonly expiresMs: number;
  /** Empty for guests: theirs cannot be refreshed. */
  readonly refresh: string;
}

/** The server's answer to a sign-in, a sign-up, a refresh, a guest. */
export interface SignedIn {
  readonly user: Me;
  readonly access_token: string;
  readonly expires_ms: number;
  readonly refresh_token?: string;
}

/** Where tokens lie: `localStorage`, or anything of its shape. */
export interface Shelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

/** The name under which they lie. */
export const SHELF_NAME = "konvert.session";
/** A token with less than this ahead of it is replaced before it is used, milliseconds. */
const MARGIN_MS = 30_000;

/** Reads and writes what is held, without trust in what lies there. */
export class Tokens {
  readonly #shelf: Shelf;
  /** Asks for new tokens; `null` when the sign-in has ended. Fails when that is not known. */
  readonly #renew: (refreshToken: string) => Promise<SignedIn | null>;
  readonly #succession: Succession;

  constructor(shelf: Shelf, renew: (refreshToken: string) => Promise<SignedIn | null>, succession: Succession) {
    this.#shelf = shelf;
    this.#renew = renew;
    this.#succession = succession;
  }

  get held(): Held | null {
    try {
      const held = JSON.parse(this.#shelf.getItem(SHELF_NAME) ?? "null") as Held | null;
      return held && typeof held.access === "string" && held.user?.id ? held : null;
    } catch {
      return null;
    }
  }

  keep({ user, access_token, expires_ms, refresh_token = "" }: SignedIn): Held {
    return this.#put({ user, access: access_token, expiresMs: expires_ms, refresh: refresh_token });
  }

  /** The user looks different from now on. */
  rename(user: Me): void {
    const { held } = this;
    if (held?.user.id === user.id) this.#put({ ...held, user });
  }

  forget(): void {
    this.#shelf.removeItem(SHELF_NAME);
    void this.#succession.forget();
  }

  /** A token for the user, or `null` when the sign-in has ended. Fails when there is no answer. */
  async give(user: string, { reason, token }: TokenNeed, nowMs: number): Promise<string | null> {
    const usable = () => {
      const { held } = this;
      if (held?.user.id !== user) return null;
      const isSpent = reason !== "connect" && held.access === token;
      // A guest's token is all there is: only the server's word ends it.
      if (!held.refresh) return isSpent && reason === "refused" ? null : held.access;
      return !isSpent && held.expiresMs - nowMs > MARGIN_MS ? held.access : "";
    };
    const at = usable();
    if (at !== "") return at;
    return exclusively("konvert.refresh", async () => {
      await this.#catchUp();
      return usable() || this.#refresh(user);
    });
  }

  /** Takes what another tab has got, where the shelf does not tell of it yet. */
  async #catchUp(): Promise<void> {
    const { held } = this;
    const next = held?.refresh && (await this.#succession.after(held.refresh));
    if (next && this.held?.refresh === held.refresh) this.#put({ ...next, user: held.user });
  }

  async #refresh(user: string): Promise<string | null> {
    const { held } = this;
    if (held?.user.id !== user) return null;
    const fresh = await this.#renew(held.refresh);
    // Signed out, or in as somebody else, while we asked.
    if (this.held?.refresh !== held.refresh) return this.held?.user.id === user ? this.held.access : null;
    if (!fresh) return null;
    const next = this.keep(fresh);
    await this.#succession.note(held.refresh, next);
    // Another tab has signed out meanwhile, and forgot what was not noted yet.
    if (this.held?.refresh !== next.refresh) await this.#succession.forget();
    return next.access;
  }

  #put(held: Held): Held {
    this.#shelf.setItem(SHELF_NAME, JSON.stringify(held));
    return held;
  }
}
