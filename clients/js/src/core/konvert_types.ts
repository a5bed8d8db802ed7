// What a `Konvert` takes and tells: options and events. No code.
//
// Invariant: whatever an application may pass or receive is described here, with units.
import type { Codec } from "./codec.js";
import type { ConnectionState } from "./connection.js";
import type { KonvertError } from "./errors.js";
import type { Message } from "./message.js";
import type { OutboxLimits, OutboxMessage } from "./outbox.js";
import type { Platform } from "./platform.js";
import type { Store } from "./store.js";
import type { GetToken } from "./tokens.js";
import type { Transport } from "./transport.js";

/** How to connect, and as whom. */
export interface KonvertOptions {
  /** Gives a token when one is needed: to connect, before it ends, after it was refused. */
  readonly getToken?: GetToken;
  /** A token that will do for as long as it holds. `getToken` takes over afterwards. */
  readonly token?: string;
  /**
   * The id of the user whom `getToken` gives tokens of, where it is known: what is written before the first connection
   * is theirs then, and is sent as nobody else. The server's word replaces it.
   */
  readonly user?: string;
  /** Enter as a guest under this name, where the server lets guests in; the guest's token is kept in `store`. */
  readonly guest?: string;
  /** Connect at once. Default yes. */
  readonly connect?: boolean;
  /** Keeps the outbox. In memory by default; `@konvert/sdk/indexeddb` and `@konvert/sdk/node` bring lasting ones. */
  readonly store?: Store;
  /** How much the outbox holds. */
  readonly outbox?: Partial<OutboxLimits>;
  /** Get `changed` events for resources of the REST API that this user can see. Default no. */
  readonly changes?: boolean;
  /** The encoding over WebSocket: MessagePack by default, Protobuf from `@konvert/sdk/protobuf`. */
  readonly codec?: Codec;
  /** Which transports to use, best first. Default all. */
  readonly transports?: readonly ("websocket" | "sse" | "poll")[];
  /** Puts another transport around the direct one: `shareTabs()` of `@konvert/sdk/tabs`. */
  readonly transport?: (direct: Transport, platform: Platform, url: string) => Transport;
  /** Replaces what was found of the place we run in. */
  readonly platform?: Partial<Platform>;
  /** Name and version told to the server for its logs, at most 64 bytes. */
  readonly agent?: string;
}

/** What a `Konvert` tells. */
export interface KonvertEvents {
  /** The state of the connection has changed. */
  state: ConnectionState;
  /** We are somebody now, or somebody else than before. */
  identity: { readonly user: string; readonly name: string };
  /** A message of any subscribed room. */
  message: Message;
  /** A message of ours has come further. */
  outbox: OutboxMessage;
  /** A resource of the REST API changed: its path, and what a GET of it would answer now; `null` when it is gone. */
  changed: { readonly path: string; readonly body: unknown };
  /** The server is about to end this connection; the SDK comes back by itself. */
  closing: { readonly code: number; readonly reason: string; readonly reconnectAfterMs: number };
  /** Something is not as it should be, and nobody else is told: for logs. */
  warning: KonvertError;
}
