// What a room takes and tells: options, states, events. No code.
//
// Invariant: whatever an application may pass or receive is described here, with units.
import type { Abort } from "./emitter.js";
import type { KonvertError } from "./errors.js";
import type { Link } from "./link.js";
import type { Message } from "./message.js";
import type { OutboxMessage, Published } from "./outbox.js";
import type { Platform } from "./platform.js";
import type { PresenceChange } from "./presence.js";
import type { Requests } from "./requests.js";
import type { Reset } from "./sync.js";
import type { Kind, Position, ReadMarker, Relation } from "./wire.js";

/** Where a subscription begins; at most one of `since` and `last`. */
export interface SubscribeOptions {
  /** After this position, which the application kept; or at the room's very first message. */
  readonly since?: Position | "start";
  /** With up to this many of the newest messages. Without either: from now on. */
  readonly last?: number;
  /** Appear in the room's presence, and see who else is there. */
  readonly presence?: boolean;
  /** Gives it up while it is under way, and leaves the room if it is aborted later. */
  readonly signal?: Abort;
}

/** What may go with a message. */
export interface PublishOptions {
  /** An id chosen before; a random one without. It makes trying again harmless, also in another process. */
  readonly messageId?: string;
  /** `service` is never counted as unread. Default `message`. */
  readonly kind?: Kind;
  /** What it relates to; there are methods for each kind. */
  readonly relation?: Relation;
  /** Compare-and-append: store it only if the room is exactly here, otherwise fail with `conflict`. */
  readonly expected?: Position;
  /** User ids that the message counts for. */
  readonly mentions?: readonly string[];
  /** SHA-256 of stored files that belong to the message. */
  readonly blobs?: readonly string[];
  /** Takes the message back as long as it was never sent; later it has no effect. */
  readonly signal?: Abort;
}

/** A message on its way: a promise of where it is stored, that knows its id at once. */
export type Publishing = Promise<Published> & {
  /** The message's id. */
  readonly messageId: string;
};

/** A signal somebody sent. */
export interface Signal {
  /** The sending user's id. */
  readonly sender: string;
  /** What it carries. */
  readonly payload: Uint8Array;
}

/** Where a room stands: not subscribed, on the way, live, refused by the server. */
export type RoomState = "idle" | "attaching" | "attached" | "refused";

/** What a room tells. */
export interface RoomEvents {
  /** A message, once, in order. */
  message: Message;
  /** Something cannot be delivered; the reason, and whether what is known of the room is void. */
  reset: Reset;
  /** Where the room stands. */
  state: RoomState;
  /** A signal. */
  signal: Signal;
  /** Who is there has changed. */
  presence: PresenceChange;
  /** Who is typing has changed. */
  typing: readonly string[];
  /** Somebody, perhaps we ourselves, has read. */
  read: ReadMarker;
  /** The number of unread messages has changed. */
  unread: number;
  /** A message of ours has come further. */
  outbox: OutboxMessage;
  /** Our rights have changed; empty: the subscription has ended. */
  rights: readonly string[];
  /** The server refused the subscription, or ended it. */
  refused: KonvertError;
}

/** What a room is lent by its `Konvert`. */
export interface RoomHost {
  readonly platform: Platform;
  readonly requests: Requests;
  readonly link: Link | null;
  readonly user: string;
  publish(room: string, payload: Uint8Array, options: PublishOptions): Publishing;
  pending(room: string): OutboxMessage[];
  seen(message: Message): void;
  stalled(room: string, stall: number): void;
}
