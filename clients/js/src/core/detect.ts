// What the place we run in offers, found at run time: browsers, Node, React Native, workers.
//
// The only place that looks at globals, and it assumes none of them. Invariant: what is missing is left out, so that
// the SDK can do without or say so.
import type { FetchLike, Platform, WebSocketLike } from "./platform.js";

interface Target {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
}

interface Globals extends Target {
  WebSocket?: new (url: string, subprotocol: string) => WebSocketLike;
  fetch?: FetchLike;
  AbortController?: new () => { readonly signal: unknown; abort(): void };
  crypto?: { getRandomValues?(bytes: Uint8Array): Uint8Array };
  document?: Target & { visibilityState?: string };
  location?: { origin?: string };
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const globals = globalThis as unknown as Globals;
/** Timers of most engines hold 31 bits. */
const TIMER_MAX_MS = 2 ** 31 - 1;

let provided: Partial<Platform> = {};

/** Adds to what is found: how `@konvert/sdk/node` brings a WebSocket. */
export function provide(more: Partial<Platform>): void {
  provided = { ...provided, ...more };
}

/** Where relative addresses begin, in a page. */
export const origin = (): string => globals.location?.origin ?? "";

/** The platform we are on, with what the application replaces. */
export function detect(replaced: Partial<Platform> = {}): Platform {
  const { WebSocket, fetch } = globals;
  return {
    ...(WebSocket ? { webSocket: (url, subprotocol) => new WebSocket(url, subprotocol) } : {}),
    ...(fetch ? { fetch: (url, init) => fetch(url, init) } : {}),
    abort: () => (globals.AbortController ? new globals.AbortController() : { signal: undefined, abort() {} }),
    now: Date.now,
    random: Math.random,
    id: randomId,
    after(ms, call) {
      const timer = globals.setTimeout(call, Math.min(ms, TIMER_MAX_MS));
      return () => globals.clearTimeout(timer);
    },
    onWake,
    ...provided,
    ...replaced,
  };
}

/** 128 random bits. Not `crypto.randomUUID`: pages have it only over TLS or on localhost. */
function randomId(): string {
  const bytes = new Uint8Array(16);
  if (globals.crypto?.getRandomValues) globals.crypto.getRandomValues(bytes);
  else for (let i = 0; i < 16; i++) bytes[i] = Math.random() * 256;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function onWake(call: () => void): () => void {
  const { document } = globals;
  const visible = () => document?.visibilityState !== "hidden" && call();
  const places: [Target | undefined, string, () => void][] = [
    [globals, "online", call],
    // Nothing is there to wake for, but what is there may be dead.
    [globals, "offline", call],
    [globals, "pageshow", visible],
    [document, "visibilitychange", visible],
  ];
  for (const [target, type, listener] of places) target?.addEventListener?.(type, listener);
  return () => {
    for (const [target, type, listener] of places) target?.removeEventListener?.(type, listener);
  };
}
