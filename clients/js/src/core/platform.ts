// What the SDK needs of the place it runs in. The core touches nothing else: no Node, no DOM.
//
// Owns the interface only; `src/platform.ts` finds defaults at run time, tests bring their own.

/** A WebSocket as far as it is used. */
export interface WebSocketLike {
  /** Set to `arraybuffer`. */
  binaryType: string;
  /** It is open. */
  onopen: ((event: never) => void) | null;
  /** A message: text, or an `ArrayBuffer`. */
  onmessage: ((event: { data: unknown }) => void) | null;
  /** It is over; told once. */
  onclose: ((event: { code: number; reason: string }) => void) | null;
  /** Something went wrong; `onclose` follows. */
  onerror: ((event: never) => void) | null;
  /** Bytes not yet handed to the network. */
  readonly bufferedAmount: number;
  /** Sends a message. */
  send(data: string | Uint8Array): void;
  /** Ends it. */
  close(code?: number, reason?: string): void;
}

/** An answer over HTTP as far as it is used. */
export interface ResponseLike {
  /** Whether the status says success. */
  readonly ok: boolean;
  /** HTTP status. */
  readonly status: number;
  /** Headers by name. */
  readonly headers: { get(name: string): string | null };
  /** The body as it comes; `null` where `fetch` cannot stream. */
  readonly body: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> } } | null;
  /** The whole body. */
  text(): Promise<string>;
}

/** `fetch` as far as it is used. */
export type FetchLike = (
  url: string,
  init: { method: string; headers?: Record<string, string>; body?: unknown; signal?: unknown; cache?: "no-store" },
) => Promise<ResponseLike>;

/** The place the SDK runs in. Pass some of these as `options.platform` to replace what was found by itself. */
export interface Platform {
  /** Opens a WebSocket; without it the SDK goes over HTTP. */
  readonly webSocket?: (url: string, subprotocol: string) => WebSocketLike;
  /** Sends a request; without it there is no HTTP: neither fallback nor `api` nor `upload`. */
  readonly fetch?: FetchLike;
  /** An `AbortController` for requests. */
  readonly abort: () => { readonly signal: Abortable; abort(): void };
  /** Milliseconds since 1970; must go on while the device sleeps. */
  readonly now: () => number;
  /** Uniform in 0…1; spreads reconnects. */
  readonly random: () => number;
  /** 128 random bits as text; identifies messages. */
  readonly id: () => string;
  /** Calls back once, after so many milliseconds; the result takes it back. */
  readonly after: (ms: number, call: () => void) => () => void;
  /** Calls back when the network came or went, or the application was brought to the front; the result takes it off. */
  readonly onWake: (call: () => void) => () => void;
}

/** The signal of an `AbortController`, handed from `abort` to `fetch` unseen. */
export type Abortable = unknown;
