// The frames of the protocol as TypeScript sees them: what `protocol/konvert.proto` says, in camel case.
//
// Knows nothing of how they travel. Invariant: what was decoded has every plain field (absent means its default);
// only fields that are messages themselves may be missing.

/** A place in a room's order. */
export interface Position {
  /** Identity of the room's numbering: non-zero, below 2^53. It changes when history is rewritten. */
  readonly epoch: number;
  /** Number of a message: starts at 1, rises by 1. Zero is the place before the first message. */
  readonly offset: number;
}

/** Whether people would count a message as unread (`message`) or not (`service`). */
export type Kind = "message" | "service";

/** How a message relates to an earlier one. */
export type RelationKind = "none" | "reply" | "edit" | "delete" | "reaction" | "append";

/** Whether the server can read a room's payloads. */
export type Mode = "server_readable" | "e2ee";

/** Which way a history page runs. */
export type Direction = "forward" | "backward";

/** A link to an earlier message of the same room. */
export interface Relation {
  /** What the message is to its target. */
  readonly kind: RelationKind;
  /** Offset of the target. */
  readonly offset: number;
}

/** A stored message as it travels. */
export interface WireMessage {
  readonly room: string;
  readonly offset: number;
  readonly sender: string;
  readonly senderName: string;
  readonly messageId: string;
  readonly timeMs: number;
  readonly kind: Kind;
  readonly relation?: Relation;
  readonly payload: Uint8Array;
  readonly ordinal: number;
  readonly erased: boolean;
  readonly mentions: readonly string[];
  readonly blobs: readonly string[];
}

/** What the server allows; going beyond gets a numbered error. */
export interface Limits {
  /** Longest payload of a publish, bytes. */
  readonly payloadBytes: number;
  /** Longest WebSocket message a client may send, bytes. */
  readonly messageBytes: number;
  /** Most frames in one WebSocket message. */
  readonly framesPerMessage: number;
  /** Most rooms one connection may be subscribed to. */
  readonly roomsPerConnection: number;
  /** Sustained publishes per second of one user, all connections together. */
  readonly publishesPerSecond: number;
  /** Longest payload of a signal, bytes. */
  readonly signalBytes: number;
  /** Most messages in one history page or one page of a resume. */
  readonly historyPage: number;
  /** Sustained signals per second of one connection. */
  readonly signalsPerSecond: number;
}

/** Somebody who is in a room. */
export interface Member {
  /** The user's id. */
  readonly user: string;
  /** The user's display name. */
  readonly name: string;
  /** As the user last set it; free for the application. */
  readonly state: Uint8Array;
}

/** Where somebody has read to. */
export interface ReadMarker {
  /** The room. */
  readonly room: string;
  /** Whose marker this is. */
  readonly user: string;
  /** Everything up to here is read. */
  readonly offset: number;
  /** Number of countable messages up to the marker. */
  readonly ordinal: number;
}

/** An error as it travels. */
export interface WireError {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  readonly temporary: boolean;
  readonly retryAfterMs: number;
  readonly position?: Position;
  readonly firstOffset: number;
}

export interface Subscribe {
  readonly room: string;
  readonly since?: Position;
  readonly last?: number;
  readonly presence?: boolean;
}

export interface Connect {
  readonly token?: string;
  readonly name?: string;
  readonly agent?: string;
  readonly rooms?: readonly Subscribe[];
  readonly changes?: boolean;
}

export interface Connected {
  readonly session: string;
  readonly user: string;
  readonly name: string;
  readonly timeMs: number;
  readonly heartbeatMs: number;
  readonly tokenExpiresMs: number;
  readonly token: string;
  readonly limits?: Limits;
  readonly rooms: readonly Subscribed[];
}

export interface Subscribed {
  readonly room: string;
  readonly position?: Position;
  readonly firstOffset: number;
  readonly messages: readonly WireMessage[];
  readonly more: boolean;
  readonly presence?: PresenceState;
  readonly readOffset: number;
  readonly unread: number;
  readonly mode: Mode;
  readonly error?: WireError;
}

export interface Publish {
  readonly room: string;
  readonly messageId: string;
  readonly kind?: Kind;
  readonly payload?: Uint8Array;
  readonly relation?: Relation;
  readonly expected?: Position;
  readonly mentions?: readonly string[];
  readonly blobs?: readonly string[];
}

export interface WirePublished {
  readonly position?: Position;
  readonly timeMs: number;
  readonly duplicate: boolean;
}

export interface History {
  readonly room: string;
  readonly from?: number;
  readonly direction?: Direction;
  readonly limit?: number;
}

export interface WirePage {
  readonly room: string;
  readonly position?: Position;
  readonly firstOffset: number;
  readonly messages: readonly WireMessage[];
  readonly more: boolean;
}

export interface PresenceState {
  readonly room: string;
  readonly version: number;
  readonly count: number;
  readonly members: readonly Member[];
  readonly countOnly: boolean;
}

export interface PresenceDiff {
  readonly room: string;
  readonly version: number;
  readonly count: number;
  readonly joined: readonly Member[];
  readonly left: readonly string[];
  readonly countOnly: boolean;
}

export interface RoomChanged {
  readonly room: string;
  readonly position?: Position;
  readonly firstOffset: number;
}

/** Bodies a client sends, by name. */
export interface Commands {
  connect: Connect;
  refresh: { readonly token: string };
  subscribe: Subscribe;
  unsubscribe: { readonly room: string };
  publish: Publish;
  signal: { readonly room: string; readonly payload: Uint8Array };
  history: History;
  presence: { readonly room: string; readonly users?: readonly string[] };
  presenceUpdate: { readonly room: string; readonly state: Uint8Array };
  read: { readonly room: string; readonly offset: number };
  ping: Record<never, never>;
}

/** Bodies a server sends, by name: replies first, then pushes. */
export interface Answers {
  error: WireError;
  connected: Connected;
  refreshed: { readonly tokenExpiresMs: number };
  subscribed: Subscribed;
  unsubscribed: { readonly room: string };
  published: WirePublished;
  signaled: Record<never, never>;
  history: WirePage;
  presence: PresenceState;
  read: ReadMarker;
  pong: Record<never, never>;
  message: WireMessage;
  signal: { readonly room: string; readonly sender: string; readonly payload: Uint8Array };
  presenceDiff: PresenceDiff;
  readMarker: ReadMarker;
  roomChanged: RoomChanged;
  membershipChanged: { readonly room: string; readonly allow: readonly string[] };
  tokenExpiring: { readonly expiresMs: number };
  closing: { readonly code: number; readonly reason: string; readonly reconnectAfterMs: number };
  changed: { readonly path: string; readonly body: Uint8Array };
}

type OneOf<Bodies> = { [Type in keyof Bodies]: { readonly type: Type; readonly value: Bodies[Type] } }[keyof Bodies];

/** A body of a command, with its name. */
export type Command = OneOf<Commands>;
/** A body that the server sends, with its name. */
export type Answer = OneOf<Answers>;
/** One unit from client to server. */
export type ClientFrame = { readonly id: number } & Command;
/** One unit from server to client; `unknown` is a push of a newer server. */
export type ServerFrame = { readonly id: number } & (Answer | { readonly type: "unknown"; readonly value: null });
/** A frame of either direction, as codecs see it. */
export interface Frame {
  readonly id: number;
  readonly type: string;
  readonly value: unknown;
}
