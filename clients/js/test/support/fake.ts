// A server in memory that keeps the protocol, or breaks it in every way a test asks for.
//
// Frames pass through the real codec. Owns logs of rooms with idempotent publishing; `faults` decide what goes wrong.

import { msgpack } from "../../src/core/msgpack.js";
import type { Platform, WebSocketLike } from "../../src/core/platform.js";
import type { ClientFrame, Frame, ServerFrame, WireMessage } from "../../src/core/wire.js";

export const EPOCH = 4503599627370497;
const text = new TextEncoder();

export class FakeSocket implements WebSocketLike {
  binaryType = "";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  bufferedAmount = 0;
  isOpen = true;
  readonly heard: ClientFrame[] = [];
  /** Rooms it is attached to. */
  readonly attached = new Set<string>();

  constructor(readonly server: FakeServer) {}

  send(data: string | Uint8Array): void {
    if (!this.isOpen) return;
    const bytes = Uint8Array.from(data as Uint8Array);
    // The network takes its time: nothing is answered in the same turn.
    Promise.resolve().then(() => {
      for (const frame of msgpack.decode(bytes, "client")) {
        this.heard.push(frame as ClientFrame);
        if (this.isOpen) this.server.hear(this, frame as ClientFrame);
      }
    });
  }

  close(): void {
    this.isOpen = false;
    this.server.left(this);
  }

  /** Says frames, in one message. */
  say(...frames: ServerFrame[]): void {
    if (!this.isOpen) return;
    const parts = frames.map((frame) => msgpack.encode(frame as Frame, "server") as Uint8Array);
    this.bytes(Uint8Array.from(Buffer.concat(parts)));
  }

  /** Says bytes, whatever they are. */
  bytes(data: Uint8Array | string): void {
    if (this.isOpen)
      this.onmessage?.({ data: typeof data === "string" ? data : data.buffer.slice(data.byteOffset, data.byteOffset + data.length) });
  }

  /** Ends it from the server's side. */
  end(code: number, reason = ""): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.server.left(this);
    this.onclose?.({ code, reason });
  }
}

/** What goes wrong. Each is asked at its place; the default is that nothing does. */
export interface Faults {
  /** A handshake fails. */
  noOpen?: () => boolean;
  /** Takes a command over: true means that the server does nothing more. */
  onCommand?: (socket: FakeSocket, frame: ClientFrame) => boolean;
  /** What is really sent in place of these frames. */
  onSay?: (frames: ServerFrame[], socket: FakeSocket) => ServerFrame[];
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  readonly log = new Map<string, WireMessage[]>();
  readonly connectedAt: number[] = [];
  faults: Faults = {};
  pageSize = 5;
  heartbeatMs = 25_000;
  first = 1;
  epoch = EPOCH;

  get platform(): Partial<Platform> {
    return { webSocket: () => this.#accept(), fetch: () => Promise.reject(new Error("no HTTP here")) };
  }

  get open(): FakeSocket[] {
    return this.sockets.filter(({ isOpen }) => isOpen);
  }

  room(name: string): WireMessage[] {
    let log = this.log.get(name);
    if (!log) this.log.set(name, (log = []));
    return log;
  }

  /** Stores a message of somebody else, or of ours, and pushes it. */
  store(room: string, sender: string, messageId: string, payload: Uint8Array | string): WireMessage {
    const log = this.room(room);
    const bytes = typeof payload === "string" ? text.encode(payload) : payload;
    const message = wire(log.length + 1, bytes, { room, sender, messageId });
    log.push(message);
    for (const socket of this.open) if (socket.attached.has(room)) this.say(socket, { id: 0, type: "message", value: message });
    return message;
  }

  say(socket: FakeSocket, ...frames: ServerFrame[]): void {
    socket.say(...(this.faults.onSay?.(frames, socket) ?? frames));
  }

  left(socket: FakeSocket): void {
    socket.attached.clear();
  }

  hear(socket: FakeSocket, frame: ClientFrame): void {
    if (this.faults.onCommand?.(socket, frame)) return;
    const { id } = frame;
    switch (frame.type) {
      case "connect": {
        const rooms = (frame.value.rooms ?? []).map((wanted) => {
          const answer = this.#subscribe(socket, wanted);
          return answer.type === "error" ? { room: wanted.room, messages: [], error: answer.value } : answer.value;
        });
        const value = { session: "s", user: frame.value.token || "guest", timeMs: 1, heartbeatMs: this.heartbeatMs, rooms };
        return this.say(socket, { id, type: "connected", value } as unknown as ServerFrame);
      }
      case "subscribe":
        return this.say(socket, { id, ...this.#subscribe(socket, frame.value) } as ServerFrame);
      case "unsubscribe":
        socket.attached.delete(frame.value.room);
        return this.say(socket, { id, type: "unsubscribed", value: frame.value });
      case "publish": {
        const { room, messageId, payload = new Uint8Array() } = frame.value;
        const known = this.room(room).find((message) => message.messageId === messageId);
        const message = known ?? this.store(room, "me", messageId, payload);
        const position = { epoch: this.epoch, offset: message.offset };
        return this.say(socket, { id, type: "published", value: { position, timeMs: 1, duplicate: !!known } });
      }
      case "history": {
        const { room, from = 0, direction = "forward", limit } = frame.value;
        const log = this.room(room);
        const size = Math.min(limit || this.pageSize, this.pageSize);
        const end = direction === "forward" ? Math.min((from || this.first) - 1 + size, log.length) : from || log.length;
        const gone = this.first - 1;
        const start = direction === "forward" ? (from || this.first) - 1 : Math.max(gone, end - size);
        const more = direction === "forward" ? end < log.length : start > gone;
        const value = { room, position: this.#head(room), firstOffset: this.first, messages: log.slice(start, end), more };
        return this.say(socket, { id, type: "history", value });
      }
      case "presence":
        return this.say(socket, {
          id,
          type: "presence",
          value: { room: frame.value.room, version: 9, count: 0, members: [], countOnly: false },
        });
      case "read":
        return this.say(socket, { id, type: "read", value: { ...frame.value, user: "me", ordinal: frame.value.offset } });
      case "signal":
        return this.say(socket, { id, type: "signaled", value: {} });
      case "ping":
        if (id) this.say(socket, { id, type: "pong", value: {} });
    }
  }

  #head = (room: string) => ({ epoch: this.epoch, offset: this.room(room).length });

  #subscribe(socket: FakeSocket, wanted: Extract<ClientFrame, { type: "subscribe" }>["value"]) {
    const { room, since, last = 0 } = wanted;
    const log = this.room(room);
    socket.attached.delete(room);
    const position = this.#head(room);
    const refuse = (code: number, name: string) => {
      const value = { code, name, message: "", temporary: false, retryAfterMs: 0, position, firstOffset: this.first };
      return { type: "error" as const, value };
    };
    if (since && since.epoch !== this.epoch) return refuse(304, "epoch_changed");
    if (since && since.offset > log.length) return refuse(305, "ahead_of_log");
    if (since && since.offset + 1 < this.first) return refuse(303, "trimmed");
    const from = since ? since.offset : Math.max(log.length - last, this.first - 1);
    const messages = log.slice(from, from + this.pageSize);
    const more = from + messages.length < log.length;
    if (!more) socket.attached.add(room);
    const value = { room, position, firstOffset: this.first, messages, more, readOffset: 0, unread: 0, mode: "server_readable" as const };
    return { type: "subscribed" as const, value };
  }

  #accept(): WebSocketLike {
    const socket = new FakeSocket(this);
    this.sockets.push(socket);
    this.connectedAt.push(Date.now());
    Promise.resolve().then(() => {
      if (this.faults.noOpen?.()) socket.end(1006);
      else if (socket.isOpen) socket.onopen?.(undefined as never);
    });
    return socket;
  }
}

export function wire(offset: number, payload: Uint8Array | string, more: Partial<WireMessage> = {}): WireMessage {
  const bytes = typeof payload === "string" ? text.encode(payload) : payload;
  return {
    room: "r",
    offset,
    sender: "other",
    senderName: "",
    messageId: `m${offset}`,
    timeMs: 1,
    kind: "message",
    payload: bytes,
    ordinal: offset,
    erased: false,
    mentions: [],
    blobs: [],
    ...more,
  };
}

/** Chance that can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
