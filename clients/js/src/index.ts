// Everything an application needs: `import { Konvert } from "@konvert/sdk"`.
//
// Owns the list of what is public. Knows nothing else.
export { type Api, ApiError, type ApiOptions } from "./core/api.js";
export type { Codec } from "./core/codec.js";
export type { ConnectionState } from "./core/connection.js";
export { type Abort, Emitter } from "./core/emitter.js";
export { CLOSE, KonvertError, type Reason, SDK_ERRORS } from "./core/errors.js";
export type { FoldedMessage, Reaction } from "./core/fold.js";
export type { HistoryOptions, HistoryPage } from "./core/history.js";
export { json } from "./core/json.js";
export { Konvert } from "./core/konvert.js";
export type { KonvertEvents, KonvertOptions } from "./core/konvert_types.js";
export { Message, type Payload } from "./core/message.js";
export { msgpack } from "./core/msgpack.js";
export type { OutboxLimits, OutboxMessage, OutboxState, Published } from "./core/outbox.js";
export type { FetchLike, Platform, ResponseLike, WebSocketLike } from "./core/platform.js";
export type { Presence, PresenceChange } from "./core/presence.js";
export type { Room } from "./core/room.js";
export type { Publishing, PublishOptions, RoomEvents, RoomState, Signal, SubscribeOptions } from "./core/room_types.js";
export { MemoryStore, type Store, type StoredMessage } from "./core/store.js";
export type { Reset } from "./core/sync.js";
export type { GetToken, TokenNeed, TokenReason } from "./core/tokens.js";
export type { Channel, ChannelEvents, Transport } from "./core/transport.js";
export type { Upload, UploadOptions, UploadSource } from "./core/upload.js";
export type { Hole, RoomView, ViewEvents, ViewOptions } from "./core/view.js";
export type { Direction, Kind, Limits, Member, Mode, Position, ReadMarker, Relation, RelationKind } from "./core/wire.js";
