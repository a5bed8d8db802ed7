// Being connected, for as long as somebody wants it: connecting, connected, waiting, closed, each with its reason.
//
// Owns attempts, pauses and tokens; one link at a time. Knows no room: what to say first and what to do with what
// comes is its owner's. Invariant: never two links at once, never an attempt without a pause that grows with failures.
import { adviceOf, CLOSE, KonvertError, type Reason, reasonOf } from "./errors.js";
import { Link, type Reply } from "./link.js";
import { pauseMs } from "./pause.js";
import type { Platform } from "./platform.js";
import type { Tokens } from "./tokens.js";
import type { Transport } from "./transport.js";
import type { Answer, Connect, Connected } from "./wire.js";

/** A connection that held this long was a good one. */
const GOOD_MS = 60_000;
/** Waking up brings the next attempt forward, but not more often than this. */
const WAKE_EVERY_MS = 1_000;

/** The state of the connection. */
export type ConnectionState =
  /** An attempt is under way. */
  | {
      readonly name: "connecting";
      /** Failures in a row before this attempt. */
      readonly attempt: number;
      /** What it is tried over: `websocket`, `sse`, `poll`, or `tabs` where another tab leads. */
      readonly transport: string;
    }
  /** The server has let us in. */
  | {
      readonly name: "connected";
      /** Names this connection in the server's log. */
      readonly session: string;
      /** Who we are to the server. */
      readonly user: string;
      /** What we are connected over. */
      readonly transport: string;
    }
  /** A pause before the next attempt. */
  | {
      readonly name: "waiting";
      /** Why the connection ended, or could not be made. */
      readonly reason: Reason;
      /** When the next attempt will be, milliseconds since 1970. */
      readonly retryAtMs: number;
      /** Failures in a row so far. */
      readonly attempt: number;
    }
  /** No attempt will be made until `connect()` is called. */
  | {
      readonly name: "closed";
      /** Why. */
      readonly reason: Reason;
    };

/** A server that says again and again that the token ends is not obeyed more often than this. */
const REFRESH_EVERY_MS = 5_000;

/** What the owner of a connection gives and gets. */
export interface ConnectionEvents {
  /** What to say first, apart from the token. */
  hello(): Connect;
  onState(state: ConnectionState): void;
  onConnected(connected: Connected, link: Link): void;
  onPush(push: Answer): void;
  /** The link is gone; what it was asked has been answered with `null`. */
  onLost(): void;
}

export class Connection {
  readonly #transport: Transport;
  readonly #platform: Platform;
  readonly #tokens: Tokens;
  readonly #events: ConnectionEvents;
  #state: ConnectionState = { name: "closed", reason: reasonOf(CLOSE.closed_by_app) };
  #link: Link | null = null;
  /** What the link, or the one before, is held by. */
  #token: string | null = null;
  #attempt = 0;
  #refusals = 0;
  /** Counts attempts, so that what was awaited for an earlier one is dropped. */
  #round = 0;
  #startedAt = 0;
  #adviceMs = 0;
  #error: KonvertError | undefined;
  #refreshedAt = 0;
  #cancel: () => void = () => {};
  #cancelRefresh: () => void = () => {};
  #offWake: () => void = () => {};

  constructor(transport: Transport, platform: Platform, tokens: Tokens, events: ConnectionEvents) {
    this.#transport = transport;
    this.#platform = platform;
    this.#tokens = tokens;
    this.#events = events;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The link, while connected. */
  get link(): Link | null {
    return this.#state.name === "connected" ? this.#link : null;
  }

  /** Wants to be connected from now on; and at once, where a pause is under way. */
  start(): void {
    if (this.#state.name === "waiting") return void this.#connect();
    if (this.#state.name !== "closed") return;
    this.#offWake = this.#platform.onWake(() => this.#wake());
    this.#attempt = this.#refusals = 0;
    this.#connect();
  }

  /** Wants it no more. */
  stop(reason = reasonOf(CLOSE.closed_by_app)): void {
    if (this.#state.name === "closed") return;
    this.#round++;
    this.#cancel();
    this.#cancelRefresh();
    this.#offWake();
    const link = this.#link;
    this.#link = null;
    link?.close(CLOSE.closed_by_app, "");
    this.#transport.dispose?.();
    this.#enter({ name: "closed", reason });
    this.#events.onLost();
  }

  /** Begins anew at once. */
  restart(code: number, why: string): void {
    this.#link?.close(code, why);
  }

  async #connect(): Promise<void> {
    const round = ++this.#round;
    this.#cancel();
    this.#adviceMs = 0;
    this.#error = undefined;
    this.#startedAt = this.#platform.now();
    this.#enter({ name: "connecting", attempt: this.#attempt, transport: this.#transport.name });
    let token: string | null;
    try {
      token = await this.#tokens.current(this.#platform.now());
    } catch (error) {
      if (round === this.#round) this.#lost(CLOSE.no_token, String(error));
      return;
    }
    if (round !== this.#round) return;
    if (token === null) return this.stop(reasonOf(CLOSE.signed_out, "", this.#error));
    this.#token = token;
    this.#open(token, round);
  }

  #open(token: string, round: number): void {
    const isCurrent = () => round === this.#round;
    let link: Link;
    try {
      link = this.#link = this.#make(isCurrent, token);
    } catch (error) {
      return this.#lost(CLOSE.network, String(error));
    }
    if (link.isOver) this.#link = null;
  }

  #make(isCurrent: () => boolean, token: string): Link {
    const link: Link = new Link(this.#transport, this.#platform, {
      onOpen: () => {
        if (!isCurrent()) return link.close(CLOSE.closed_by_app, "");
        const hello = this.#events.hello();
        link.command("connect", token ? { ...hello, token } : hello, (reply) => isCurrent() && this.#answered(link, reply));
      },
      onPush: (push) => isCurrent() && this.#push(push),
      onProven: () => {
        this.#attempt = 0;
      },
      onClose: (code, reason, retryAfterMs = 0) => {
        if (!isCurrent()) return;
        this.#adviceMs ||= retryAfterMs;
        this.#lost(code, reason);
      },
    });
    return link;
  }

  #answered(link: Link, reply: Reply<"connected">): void {
    if (!reply) return;
    if (reply.type === "error") return this.#refused(link, new KonvertError(reply.value));
    const { value } = reply;
    this.#refusals = 0;
    // The server's clock counts: ours may be wrong.
    const lifeMs = value.tokenExpiresMs && value.timeMs ? value.tokenExpiresMs - value.timeMs : 0;
    if (value.token) this.#token = value.token;
    this.#tokens.keep(value.token, lifeMs && this.#platform.now() + lifeMs);
    link.established(value.heartbeatMs || 25_000, value.limits);
    this.#cancel = this.#platform.after(GOOD_MS, () => {
      this.#attempt = 0;
    });
    this.#enter({ name: "connected", session: value.session, user: value.user, transport: this.#transport.name });
    if (this.#link === link) this.#events.onConnected(value, link);
  }

  #refused(link: Link, error: KonvertError): void {
    this.#error = error;
    this.#adviceMs = error.retryAfterMs;
    const aboutToken = error.code >= 200 && error.code < 300;
    if (!aboutToken) return link.close(error.temporary ? CLOSE.network : 4401, error.message);
    this.#tokens.refused(this.#token);
    // The first refusal asks for another token; a new one that is refused as well will not get better.
    const again = this.#tokens.canRenew && ++this.#refusals < 2;
    link.close(again ? CLOSE.network : CLOSE.token_refused, error.message);
  }

  #push(push: Answer): void {
    if (push.type === "closing") this.#adviceMs = push.value.reconnectAfterMs;
    if (push.type === "tokenExpiring") this.#refresh();
    this.#events.onPush(push);
  }

  async #refresh(): Promise<void> {
    const link = this.#link;
    if (!link || !this.#tokens.canAsk) return;
    const now = this.#platform.now();
    const wait = this.#refreshedAt + REFRESH_EVERY_MS - now;
    this.#cancelRefresh();
    if (wait > 0) {
      // Whatever becomes of the clock meanwhile.
      this.#cancelRefresh = this.#platform.after(Math.min(wait, REFRESH_EVERY_MS), () => {
        this.#refreshedAt = 0;
        if (link === this.#link) void this.#refresh();
      });
      return;
    }
    this.#refreshedAt = now;
    try {
      const token = await this.#tokens.ask("expiring");
      if (link !== this.#link) return;
      if (token === null) return this.stop(reasonOf(CLOSE.signed_out));
      link.command("refresh", { token }, (reply) => {
        // When it is of no use the connection ends with 4003, and the next attempt asks for another.
        if (reply?.type === "error") this.#tokens.refused(token);
        else if (reply) {
          this.#token = token;
          this.#tokens.keep("", 0);
        }
      });
    } catch {
      // Asked again when the connection ends with 4003.
    }
  }

  #lost(code: number, message: string): void {
    this.#round++;
    this.#link = null;
    this.#cancel();
    this.#cancelRefresh();
    if (code === 4003) this.#tokens.refused(this.#token);
    if (code === 4401 && !this.#error && this.#tokens.canRenew && ++this.#refusals < 2) {
      this.#tokens.refused(this.#token);
      code = CLOSE.network;
    }
    const reason = reasonOf(code, message, this.#error);
    const pause = pauseMs(this.#attempt, code, this.#adviceMs, this.#platform.random());
    if (pause === null) {
      this.#offWake();
      this.#enter({ name: "closed", reason });
      return this.#events.onLost();
    }
    this.#attempt++;
    this.#cancel = this.#platform.after(pause, () => void this.#connect());
    this.#enter({ name: "waiting", reason, retryAtMs: this.#platform.now() + pause, attempt: this.#attempt });
    this.#events.onLost();
  }

  /** The network came or went, or somebody looks: find out now, unless the server asked for patience. */
  #wake(): void {
    if (this.#state.name === "connected") return this.#link?.probe();
    if (this.#state.name !== "waiting" || this.#adviceMs || adviceOf(this.#state.reason.code) === "later") return;
    const early = this.#startedAt + WAKE_EVERY_MS - this.#platform.now();
    this.#cancel();
    this.#cancel = this.#platform.after(Math.max(0, Math.min(early, WAKE_EVERY_MS)), () => void this.#connect());
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#events.onState(state);
  }
}
