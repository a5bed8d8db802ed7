// The credential: where it comes from, how long it holds, when to ask for another.
//
// Knows no connection. Invariants: one question to the application at a time; a token that was refused is never
// offered again.

/** Why a token is asked for. */
export type TokenReason = "connect" | "expiring" | "refused";

/** Why a token is asked for, and which one is of no use. */
export interface TokenNeed {
  /** What it is needed for. */
  readonly reason: TokenReason;
  /** The token that was refused, or is about to end; empty when there was none. */
  readonly token: string;
}

/** Gives a token, or `null` when nobody is signed in: then the connection closes with `signed_out`. */
export type GetToken = (need: TokenNeed) => string | null | Promise<string | null>;

/** A token that is this close to its end is not used to connect, milliseconds. */
const MARGIN_MS = 10_000;

export class Tokens {
  readonly #get: GetToken | undefined;
  #held: string | null;
  #expiresMs = Number.POSITIVE_INFINITY;
  /** What the server did not take; empty: nothing. */
  #refused = "";
  #asking: Promise<string | null> | null = null;

  readonly #isGuest: boolean;
  #saved: () => Promise<string | undefined>;

  /** @param saved the token of a guest who was here before */
  constructor(getToken: GetToken | undefined, token: string, isGuest: boolean, saved: () => Promise<string | undefined>) {
    this.#saved = saved;
    this.#get = getToken;
    this.#held = token || null;
    this.#isGuest = isGuest;
  }

  /** Whether there is a way to another token after a refusal: the application, or entering as a new guest. */
  get canRenew(): boolean {
    return !!this.#get || this.#isGuest;
  }

  /** Whether there is somebody to ask for another. */
  get canAsk(): boolean {
    return !!this.#get;
  }

  /** A token to use now: "" asks to enter as a guest, `null` means that nobody is signed in. */
  async current(nowMs: number): Promise<string | null> {
    if (this.#held !== null && (!this.#get || this.#expiresMs - nowMs > MARGIN_MS)) return this.#held;
    if (!this.#get) return this.#isGuest ? await this.#guest() : null;
    return this.ask(this.#refused ? "refused" : "connect");
  }

  async #guest(): Promise<string> {
    // Looked up once: a saved token that was refused is not offered again.
    const saved = await this.#saved().catch(() => undefined);
    this.#saved = async () => undefined;
    this.#held = saved || null;
    return saved ?? "";
  }

  /** A new token. */
  ask(reason: TokenReason): Promise<string | null> {
    this.#asking ??= this.#askOnce(reason).finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #askOnce(reason: TokenReason): Promise<string | null> {
    const token = await this.#get?.({ reason, token: this.#held ?? this.#refused });
    this.#held = token || null;
    this.#expiresMs = Number.POSITIVE_INFINITY;
    return token ?? null;
  }

  /** The server made a guest of us, or told when the token ends by its clock. */
  keep(token: string, expiresMs: number): void {
    if (token) this.#held = token;
    if (expiresMs) this.#expiresMs = expiresMs;
    this.#refused = "";
  }

  /** The server does not take a token; one that was replaced meanwhile says nothing of the one held now. */
  refused(token: string | null): void {
    if (token !== this.#held) return;
    this.#held = null;
    this.#refused = token ?? "";
  }
}
