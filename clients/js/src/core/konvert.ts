// The SDK's face: one `Konvert` per server and user, with rooms, an outbox, REST and uploads.
//
// Wires the parts and hands frames to whom they belong; decides nothing itself. Invariant: after every reconnect rooms
// resume first, then the outbox is sent again.
import { Api } from "./api.js";
import { Connection, type ConnectionState } from "./connection.js";
import { detect, origin } from "./detect.js";
import { type Abort, Emitter, onAbort } from "./emitter.js";
import { CLOSE, KonvertError, sdkError } from "./errors.js";
import { httpTransport } from "./http.js";
import { toBase64 } from "./json.js";
import type { KonvertEvents, KonvertOptions } from "./konvert_types.js";
import { Ladder } from "./ladder.js";
import { LIMITS, type Link } from "./link.js";
import { type Message, toText } from "./message.js";
import { msgpack } from "./msgpack.js";
import { keyOf, Outbox, type OutboxMessage } from "./outbox.js";
import type { Platform } from "./platform.js";
import { Requests } from "./requests.js";
import { Room } from "./room.js";
import type { Publishing, PublishOptions } from "./room_types.js";
import { MemoryStore, type Store, type StoredMessage } from "./store.js";
import { Tokens } from "./tokens.js";
import type { Transport } from "./transport.js";
import type { Upload, UploadOptions, UploadSource } from "./upload.js";
import { encodeUtf8 } from "./utf8.js";
import { webSocketTransport } from "./websocket.js";
import type { Answer, Connect, Connected, Limits, Subscribed } from "./wire.js";

/** Told to the server, for its logs. */
export const AGENT = "konvert-js/0.1.0";
/** Rooms named in `connect`; those beyond subscribe one by one. */
const HELLO_ROOMS_MAX = 500;
/** Messages that ended tabs left behind are looked for this often, while connected. */
const ADOPT_EVERY_MS = 30_000;

/** A connection to one server as one user, for as long as it is wanted. */
export class Konvert extends Emitter<KonvertEvents> {
  /** The server's address, without a path of ours. */
  readonly url: string;
  /** REST with the same token. */
  readonly api: Api;
  readonly #options: KonvertOptions;
  readonly #platform: Platform;
  readonly #store: Store;
  readonly #tokens: Tokens;
  readonly #requests: Requests;
  readonly #outbox: Outbox;
  readonly #connection: Connection;
  readonly #rooms = new Map<string, Room>();
  /** Who answers for the rooms named in `connect`, in their order. */
  #hello: ((link: Link, subscribed: Subscribed | undefined) => void)[] = [];
  #user = "";
  /** Who `identity` was told of. */
  #told = "";
  #limits = LIMITS;
  #cancelAdopt: () => void = () => {};

  /**
   * Connects at once, unless `connect: false`, and stays connected until `close()`.
   * @param url of the server: `https://chat.example`, or a path of the page's own origin
   */
  constructor(url: string, options: KonvertOptions = {}) {
    super();
    this.url = baseOf(url);
    this.#options = options;
    this.#user = options.user ?? "";
    this.#platform = detect(options.platform);
    this.#store = options.store ?? new MemoryStore();
    const guestToken = `guest ${this.url}`;
    this.#tokens = new Tokens(options.getToken, options.token ?? "", options.guest !== undefined, () => this.#store.get(guestToken));
    this.#requests = new Requests(this.#platform);
    this.#outbox = new Outbox(
      this.#store,
      this.#platform,
      { countMax: 1_000, bytesMax: 16 * 1024 * 1024, ...options.outbox },
      (message) => this.#sent(message),
      (error) => this.emit("warning", error),
    );
    this.api = new Api(this.url, this.#platform, this.#tokens);
    this.#connection = new Connection(this.#transport(), this.#platform, this.#tokens, {
      hello: () => this.#sayHello(),
      onState: (state) => this.#stateChanged(state),
      onConnected: (connected, link) => this.#connected(connected, link),
      onPush: (push) => this.#push(push),
      onLost: () => this.#lost(),
    });
    void this.#outbox.load();
    // In the next turn, so that listeners put on now hear of everything.
    if (options.connect !== false) Promise.resolve().then(() => this.connect());
  }

  /** The state of the connection. */
  get state(): ConnectionState {
    return this.#connection.state;
  }
  /** The user we are; empty before the first connection. */
  get user(): string {
    return this.#user;
  }
  /** What the server allows; its defaults before the first connection. */
  get limits(): Limits {
    return this.#limits;
  }
  /** Messages that are not stored yet, and rejected ones, of all rooms, oldest first. */
  get outbox(): readonly OutboxMessage[] {
    return this.#outbox.messages;
  }

  /** Wants to be connected, after `close()` or with `connect: false`; while `waiting`: tries at once. */
  connect(): void {
    this.#connection.start();
  }

  /** Disconnects and stays so. What is in the outbox stays in its store; settled when it is written there. */
  async close(): Promise<void> {
    this.#connection.stop();
    this.#requests.close();
    await this.#outbox.written;
    this.#store.close?.();
  }

  /** Settled when everything published so far is in the store: from then on it outlives this process, if the store does. */
  flushed(): Promise<void> {
    return this.#outbox.written;
  }

  /** Settled when connected; fails when the connection is closed for good. */
  ready(options: { signal?: Abort } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        offState();
        offAbort();
        then();
      };
      const look = (state: ConnectionState) => {
        if (state.name === "connected") settle(resolve);
        if (state.name === "closed") settle(() => reject(closedError(state)));
      };
      const offState = this.on("state", look);
      let offAbort = () => {};
      offAbort = onAbort(options.signal, () => settle(() => reject(sdkError("aborted"))));
      // Closed because we have not begun is no answer.
      if (this.state.name !== "closed" || this.state.reason.code !== CLOSE.closed_by_app) look(this.state);
    });
  }

  /** The handle of a room; the same one for the same name. */
  room(name: string): Room {
    let room = this.#rooms.get(name);
    if (!room) this.#rooms.set(name, (room = new Room(name, this.#host())));
    return room;
  }

  /** Tries a rejected message again, by its `key`. */
  retry(key: string): void {
    this.#outbox.retry(key);
  }

  /** Forgets a message of the outbox, by its `key`. If it was sent already, it may be stored all the same. */
  drop(key: string): void {
    this.#outbox.drop(key);
  }

  /** Uploads a file, piece by piece. */
  async upload(source: UploadSource, options: UploadOptions = {}): Promise<Upload> {
    // Loaded by those who upload.
    const { upload } = await import("./upload.js");
    const base64 = (text: string) => toBase64(encodeUtf8(text));
    return upload({ api: this.api, url: this.url, platform: this.#platform, fail: sdkError, base64 }, source, options);
  }

  #transport(): Transport {
    const { codec = msgpack, transports = ["websocket", "sse", "poll"], transport } = this.#options;
    const rungs = transports.map((name) =>
      name === "websocket" ? webSocketTransport(this.url, codec, this.#platform) : httpTransport(name, this.url, this.#platform),
    );
    const direct = new Ladder(rungs, this.#platform);
    return transport ? transport(direct, this.#platform, this.url) : direct;
  }

  #host() {
    const self = this;
    return {
      platform: this.#platform,
      requests: this.#requests,
      get link() {
        return self.#connection.link;
      },
      get user() {
        return self.#user;
      },
      publish: (room: string, payload: Uint8Array, options: PublishOptions) => self.#publish(room, payload, options),
      pending: (room: string) => self.#outbox.messages.filter((message) => message.room === room),
      seen: (message: Message) => self.#seen(message),
      stalled: (room: string, stall: number) =>
        self.emit("warning", sdkError("bad_answer", `the server does not continue ${room}; asked ${stall} times`)),
    };
  }

  #publish(room: string, payload: Uint8Array, options: PublishOptions): Publishing {
    const { messageId = this.#platform.id(), kind = "message", relation, expected, mentions = [], blobs = [], signal } = options;
    const key = keyOf(room, messageId);
    const optional = { ...(relation ? { relation } : {}), ...(expected ? { expected } : {}) };
    const createdMs = this.#platform.now();
    const message: StoredMessage = { key, messageId, room, user: this.#user, payload, kind, mentions, blobs, createdMs, ...optional };
    const outcome = new Promise<Awaited<Publishing>>((resolve, reject) => {
      if (signal?.aborted) throw sdkError("aborted");
      const off = onAbort(signal, () => this.#outbox.recall(key) && reject(sdkError("aborted")));
      this.#outbox.add(message).then(resolve, reject).finally(off);
    });
    // Whoever does not wait for it hears of it by the event `outbox`.
    outcome.catch(() => {});
    return Object.assign(outcome, { messageId });
  }

  #sayHello(): Connect {
    const attachments = [...this.#rooms.values()].flatMap(({ attachment }) => attachment ?? []).slice(0, HELLO_ROOMS_MAX);
    const hellos = attachments.map((attachment) => attachment.inHello());
    this.#hello = hellos.map(({ answer }) => answer);
    return {
      agent: this.#options.agent ?? AGENT,
      name: this.#options.guest ?? "",
      changes: this.#options.changes ?? false,
      rooms: hellos.map(({ subscribe }) => subscribe),
    };
  }

  #connected(connected: Connected, link: Link): void {
    const { user, name, token, limits } = connected;
    if (limits) this.#limits = limits;
    const isNew = user !== this.#told;
    this.#user = this.#told = user;
    if (token) void this.#store.set(`guest ${this.url}`, token).catch((error) => this.emit("warning", sdkError("storage", String(error))));
    if (isNew) this.emit("identity", { user, name });
    const answers = this.#hello;
    this.#hello = [];
    answers.forEach((answer, i) => {
      answer(link, connected.rooms[i]);
    });
    for (const { attachment } of this.#rooms.values()) attachment?.up(link);
    this.#requests.up(link);
    this.#outbox.up(link, user);
    this.#adopt();
  }

  /** Takes over what tabs that are gone left in the store. */
  #adopt(): void {
    this.#cancelAdopt();
    void this.#outbox.load();
    this.#cancelAdopt = this.#platform.after(ADOPT_EVERY_MS, () => this.#adopt());
  }

  #lost(): void {
    this.#cancelAdopt();
    this.#requests.lost();
    this.#outbox.lost();
    for (const room of this.#rooms.values()) room.lost();
  }

  #push(push: Answer): void {
    switch (push.type) {
      case "error":
        return this.emit("warning", new KonvertError(push.value));
      case "closing":
        return this.emit("closing", push.value);
      case "changed":
        return this.#changed(push.value.path, push.value.body);
      default:
        if ("room" in push.value) this.#rooms.get(push.value.room)?.push(push);
    }
  }

  #changed(path: string, body: Uint8Array): void {
    try {
      this.emit("changed", { path, body: body.length ? JSON.parse(toText(body)) : null });
    } catch {
      this.emit("warning", sdkError("bad_answer", `changed ${path}`));
    }
  }

  #seen(message: Message): void {
    const { room, messageId, sender, position, timeMs } = message;
    this.#outbox.seen(room, messageId, sender, { position, timeMs, duplicate: false, messageId });
    this.emit("message", message);
  }

  #sent(message: OutboxMessage): void {
    this.#rooms.get(message.room)?.outbox(message);
    this.emit("outbox", message);
  }

  #stateChanged(state: ConnectionState): void {
    if (state.name === "closed") {
      const error = closedError(state);
      for (const room of this.#rooms.values()) room.closed(error);
    }
    this.emit("state", state);
  }
}

const closedError = ({ reason }: Extract<ConnectionState, { name: "closed" }>) =>
  reason.error ?? sdkError("closed", `${reason.code} ${reason.name}`);

/** `wss://host/api/websocket`, `https://host/`, `/base`: all as `https://host`. */
function baseOf(url: string): string {
  const absolute = /^(https?|wss?):\/\//.test(url) ? url : origin() + (url.startsWith("/") ? url : `/${url}`);
  const base = absolute
    .replace(/^ws/, "http")
    .replace(/\/(api\/websocket|ws)?$/, "")
    .replace(/\/+$/, "");
  if (!base) throw new TypeError("An address like https://chat.example is needed: there is no page whose origin could be meant.");
  return base;
}
