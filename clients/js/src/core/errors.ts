// What can go wrong, with a number each: errors of commands (100–699, by the server), reasons why a connection is not
// there (close codes of the server 4000–4599, of the SDK 3000–3099) and what each advises.
//
// Knows nothing of what is done about it. Invariant: every failure that reaches the application is a `KonvertError`.
import type { Position, WireError } from "./wire.js";

/** A server that asks for more patience is not believed, milliseconds. */
export const ADVICE_MAX_MS = 600_000;

/** A failure with a number. Those below 1000 come from the server and are listed in PROTOCOL.md. */
export class KonvertError extends Error {
  /** Stable number. */
  readonly code: number;
  /** Stable name of the number, such as `not_allowed`. */
  override readonly name: string;
  /** Whether the same thing may succeed later. */
  readonly temporary: boolean;
  /** When to try again, milliseconds, at most ten minutes; zero when unknown. */
  readonly retryAfterMs: number;
  /** The room's position, where it helps: with `conflict`, `trimmed`, `epoch_changed`, `duplicate_conflict`. */
  readonly position: Position | undefined;
  /** First retained offset, with `trimmed` and `epoch_changed`; otherwise zero. */
  readonly firstOffset: number;

  /** Made by the SDK; an application has no need to. */
  constructor(error: Partial<WireError> & Pick<WireError, "code" | "name">) {
    super(error.message || error.name);
    this.code = error.code;
    this.name = error.name;
    this.temporary = error.temporary ?? false;
    this.retryAfterMs = Math.min(error.retryAfterMs ?? 0, ADVICE_MAX_MS);
    this.position = error.position;
    this.firstOffset = error.firstOffset ?? 0;
  }
}

/** Errors that the SDK itself raises, by name. */
export const SDK_ERRORS = {
  aborted: [1000, "The caller gave it up."],
  closed: [1001, "The connection was closed for good before there was an answer."],
  outbox_full: [1002, "The outbox holds as many messages as it may. Wait until some are stored, or drop rejected ones."],
  too_many_waiting: [1003, "Too many commands wait for an answer. Slow down."],
  bad_answer: [1004, "The server's answer breaks the protocol."],
  not_attached: [1005, "Subscribe to the room first."],
  dropped: [1006, "The message was dropped from the outbox before it was stored."],
  storage: [1007, "The store of the outbox failed."],
  upload_failed: [1008, "The file could not be uploaded."],
  http: [1009, "The HTTP request failed."],
} as const;

/** One of the SDK's own errors. */
export function sdkError(name: keyof typeof SDK_ERRORS, detail?: string, temporary = false): KonvertError {
  const [code, text] = SDK_ERRORS[name];
  return new KonvertError({ code, name, message: detail ? `${text} (${detail})` : text, temporary });
}

/** Why there is no connection now. */
export interface Reason {
  /** A close code of the server (4000–4599), of WebSocket (1000–1015) or of the SDK (3000–3099). */
  readonly code: number;
  /** Name of the code. */
  readonly name: string;
  /** More about it, for people. */
  readonly message: string;
  /** The error that led to it, where there was one. */
  readonly error?: KonvertError;
}

/** The SDK's own close codes, by name. */
export const CLOSE = {
  /** `close()` was called. */
  closed_by_app: 3000,
  /** The connection broke, or could not be made. */
  network: 3001,
  /** The server did not answer in time. */
  no_answer: 3002,
  /** The server sent something that breaks the protocol. */
  bad_server: 3003,
  /** `getToken` returned `null`: nobody is signed in. */
  signed_out: 3004,
  /** `getToken` failed; it is asked again. */
  no_token: 3005,
  /** Another transport takes over. */
  switching: 3006,
  /** Another tab takes over the shared connection. */
  leader_changed: 3007,
  /** A session over HTTP has ended; a new one resumes. */
  session_ended: 3008,
  /** The token was refused twice in a row, also after a new one was asked for. */
  token_refused: 3009,
} as const;

const SERVER_NAMES: Record<number, string> = {
  4000: "draining",
  4001: "slow_consumer",
  4002: "heartbeat_timeout",
  4003: "token_ended",
  4200: "overloaded",
  4201: "too_many_connections",
  4400: "bad_frame",
  4401: "not_authenticated",
  4402: "connect_timeout",
  4403: "revoked",
  4404: "message_too_large",
  4406: "flood",
};

/** Puts a name to a close code. */
export function reasonOf(code: number, message = "", error?: KonvertError): Reason {
  const own = Object.entries(CLOSE).find(([, value]) => value === code)?.[0];
  const name = own ?? SERVER_NAMES[code] ?? (code < 3000 ? "network" : message || "unknown");
  return error ? { code, name, message: message || error.message, error } : { code, name, message };
}

/** What a close code asks for: come back and resume, come back later, or stay away. */
export function adviceOf(code: number): "resume" | "later" | "stop" {
  if (code === CLOSE.closed_by_app || code === CLOSE.signed_out || code === CLOSE.token_refused) return "stop";
  // 4402: a device that slept between opening and speaking is no reason to stay away for ever.
  if (code === 4402 || (code >= 4200 && code < 4400)) return "later";
  return code >= 4400 && code < 4600 ? "stop" : "resume";
}
