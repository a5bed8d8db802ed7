// A message as the application sees it, and what an application may give as a payload.
//
// Knows nothing of rooms and relations. Invariant: a message never changes; what later messages say of it is in a view.
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import type { Kind, Position, Relation, WireMessage } from "./wire.js";

/** What may be sent: text, or bytes as they are. */
export type Payload = string | Uint8Array;

/** A payload as bytes. */
export const toBytes = (payload: Payload): Uint8Array => (typeof payload === "string" ? encodeUtf8(payload) : payload);

/** Bytes as text; empty where they are none. */
export function toText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return "";
  }
}

/** A stored message. */
export class Message {
  /** The room it is in. */
  readonly room: string;
  /** Its place in the room, with the numbering that the place belongs to. */
  readonly position: Position;
  /** The sending user's id. */
  readonly sender: string;
  /** The sender's display name when it was sent. */
  readonly senderName: string;
  /** The id its sender chose. */
  readonly messageId: string;
  /** When it was stored, milliseconds since 1970. */
  readonly timeMs: number;
  /** Whether people would count it. */
  readonly kind: Kind;
  /** Which earlier message it relates to, and how. */
  readonly relation: Relation | undefined;
  /** What it carries; empty when `erased`. */
  readonly payload: Uint8Array;
  /** Number of countable messages up to and including this one. */
  readonly ordinal: number;
  /** Whether a later delete erased the payload. */
  readonly erased: boolean;
  /** User ids that it counts for. */
  readonly mentions: readonly string[];
  /** SHA-256 of stored files that belong to it, in lower-case hex. */
  readonly blobs: readonly string[];

  /** Made by the SDK. */
  constructor(wire: WireMessage, room: string, epoch: number) {
    this.room = room;
    this.position = { epoch, offset: wire.offset };
    this.sender = wire.sender;
    this.senderName = wire.senderName;
    this.messageId = wire.messageId;
    this.timeMs = wire.timeMs;
    this.kind = wire.kind;
    this.relation = wire.relation;
    this.payload = wire.payload;
    this.ordinal = wire.ordinal;
    this.erased = wire.erased;
    this.mentions = wire.mentions;
    this.blobs = wire.blobs;
  }

  /** Number in the room: starts at 1, rises by 1. */
  get offset(): number {
    return this.position.offset;
  }

  /** The payload as text; empty when it is not UTF-8. */
  get text(): string {
    return toText(this.payload);
  }

  /** The payload as JSON. @throws {SyntaxError} when it is none */
  json<Value = unknown>(): Value {
    return JSON.parse(this.text) as Value;
  }
}
