// Messages on their way: kept until the server has stored them, sent in order, each under one id for ever.
//
// Owns what is not stored yet. Knows no socket beyond the link it is lent. Invariants: one message per room is under
// way at a time, so that order holds whatever is refused or repeated; a message leaves the outbox only by a known
// outcome or by the application's word; nothing is sent as somebody else. Bounded: beyond it, `outbox_full`.
//
// Several under way would be faster by as many, and would lose the order. The server keeps none between publishes that
// it has not answered: those that wait for a new room, for the target of a relation or for the right to name a file are
// overtaken, and what was refused for now (the pace, a full queue) is stored behind its successors when it comes again.
// Measured over loopback, 200 messages: one at a time 1 100 to 2 300 a second; with 8 under way every run had refusals,
// with 32 some had messages stored before earlier ones. Other rooms do not wait.
import { KonvertError, sdkError } from "./errors.js";
import type { Link, Reply } from "./link.js";
import type { Platform } from "./platform.js";
import type { Store, StoredMessage } from "./store.js";
import type { Position } from "./wire.js";

/** Where a message was stored. */
export interface Published {
  /** Its place in the room. */
  readonly position: Position;
  /** When it was stored, milliseconds since 1970; zero when that is not known. */
  readonly timeMs: number;
  /** Whether it had been stored by an earlier attempt. */
  readonly duplicate: boolean;
  /** The message's id. */
  readonly messageId: string;
}

/** What becomes of a message: `stored` and `dropped` are told once, as the last thing. */
export type OutboxState = "waiting" | "sending" | "rejected" | "stored" | "dropped";

/** A message in the outbox. */
export interface OutboxMessage extends StoredMessage {
  /** What has become of it. */
  readonly state: OutboxState;
  /** Why it was rejected. */
  readonly error?: KonvertError;
  /** Where it was stored. */
  readonly published?: Published;
}

/** How much the outbox holds. */
export interface OutboxLimits {
  /** Most messages that wait. Default 1000. */
  readonly countMax: number;
  /** Most bytes of payload that wait. Default 16 MiB. */
  readonly bytesMax: number;
}

interface Item {
  message: StoredMessage;
  state: "waiting" | "sending" | "rejected";
  error?: KonvertError;
  wasSent: boolean;
  tries: number;
  waiting: Waiting[];
}

/** Somebody who wants to know the outcome. */
interface Waiting {
  resolve(published: Published): void;
  reject(error: KonvertError): void;
}

/** Rejected messages that nobody looks at must not fill the outbox for ever. */
const REJECTED_MAX = 100;
const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;

export class Outbox {
  readonly #store: Store;
  readonly #platform: Platform;
  readonly #limits: OutboxLimits;
  readonly #tell: (message: OutboxMessage) => void;
  readonly #warn: (error: KonvertError) => void;
  readonly #items = new Map<string, Item>();
  /** Rooms with a message under way, or resting after a refusal. */
  readonly #busy = new Map<string, () => void>();
  #bytes = 0;
  #link: Link | null = null;
  #user = "";
  #isLoaded = false;
  #writes: Promise<unknown> = Promise.resolve();

  constructor(
    store: Store,
    platform: Platform,
    limits: OutboxLimits,
    tell: (message: OutboxMessage) => void,
    warn: (error: KonvertError) => void,
  ) {
    this.#store = store;
    this.#platform = platform;
    this.#limits = limits;
    this.#tell = tell;
    this.#warn = warn;
  }

  /** Everything that waits or was rejected, oldest first. */
  get messages(): OutboxMessage[] {
    return [...this.#items.values()].map(shown);
  }

  /** Settled when everything written so far is in the store. */
  get written(): Promise<void> {
    return this.#writes.then(() => {});
  }

  /** Takes over what earlier sessions left behind; then, and only then, anything is sent. */
  async load(): Promise<void> {
    try {
      const left = await this.#store.load();
      // What was there before goes first; nothing of ours was sent yet.
      const ours = this.#isLoaded ? [] : [...this.#items.values()];
      for (const { message } of ours) this.#items.delete(message.key);
      for (const message of left) {
        const known = ours.find((item) => item.message.key === message.key);
        if (known) this.#items.set(message.key, known);
        else if (!this.#items.has(message.key)) this.#take(message, null);
      }
      for (const item of ours) this.#items.set(item.message.key, item);
    } catch (error) {
      this.#warn(sdkError("storage", String(error)));
    }
    this.#isLoaded = true;
    this.#pumpAll();
  }

  /** Takes a message in, or waits for the one that has this id already. @throws {KonvertError} `outbox_full` */
  add(message: StoredMessage): Promise<Published> {
    const { countMax, bytesMax } = this.#limits;
    const known = this.#items.get(message.key);
    if (known) return this.#join(known, message);
    if (this.#items.size >= countMax || this.#bytes + message.payload.length > bytesMax) throw sdkError("outbox_full");
    const outcome = new Promise<Published>((resolve, reject) => this.#take(message, { resolve, reject }));
    this.#write(() => this.#store.put(message));
    this.#pump(message.room);
    return outcome;
  }

  #join(item: Item, { payload }: StoredMessage): Promise<Published> {
    const held = item.message.payload;
    const isSame = held.length === payload.length && held.every((byte, i) => byte === payload[i]);
    // As the server would say.
    if (!isSame) throw new KonvertError({ code: 402, name: "duplicate_conflict" });
    const outcome = new Promise<Published>((resolve, reject) => item.waiting.push({ resolve, reject }));
    this.retry(item.message.key);
    return outcome;
  }

  /** Connected, as somebody. */
  up(link: Link, user: string): void {
    this.#link = link;
    this.#user = user;
    for (const item of this.#items.values()) {
      if (item.message.user) continue;
      item.message = { ...item.message, user };
      this.#write(() => this.#store.put(item.message));
    }
    this.#pumpAll();
  }

  /** The link is gone. */
  lost(): void {
    this.#link = null;
    for (const cancel of this.#busy.values()) cancel();
    this.#busy.clear();
  }

  /** A message of ours was seen in its room: it is stored. */
  seen(room: string, messageId: string, sender: string, published: Published): void {
    const item = this.#items.get(keyOf(room, messageId));
    if (item && sender === this.#user && item.message.user === sender) this.#stored(item, published);
  }

  /** Tries a rejected message again. What was refused for its id gets a new one. */
  retry(key: string): void {
    const item = this.#items.get(key);
    if (item?.state !== "rejected") return;
    if (item.error?.name === "duplicate_conflict") this.#rename(item);
    delete item.error;
    item.tries = 0;
    this.#enter(item, "waiting");
    this.#pump(item.message.room);
  }

  /** Forgets a message, whatever its state. */
  drop(key: string): void {
    const item = this.#items.get(key);
    if (!item) return;
    this.#forget(item);
    this.#tell({ ...shown(item), state: "dropped" });
    this.#fail(item, sdkError("dropped"));
  }

  /** Takes a message back if it was never sent; tells whether it could. */
  recall(key: string): boolean {
    const item = this.#items.get(key);
    if (!item || item.wasSent) return false;
    item.waiting = [];
    this.drop(key);
    return true;
  }

  #take(message: StoredMessage, waiting: Waiting | null): void {
    const item: Item = { message, state: "waiting", wasSent: !waiting, tries: 0, waiting: waiting ? [waiting] : [] };
    this.#items.set(message.key, item);
    this.#bytes += message.payload.length;
    this.#tell(shown(item));
  }

  #pumpAll(): void {
    for (const room of new Set([...this.#items.values()].map(({ message }) => message.room))) this.#pump(room);
  }

  /** Sends the oldest message of a room, if none is under way. */
  #pump(room: string): void {
    const link = this.#link;
    if (!link || !this.#isLoaded || this.#busy.has(room)) return;
    for (const item of this.#items.values()) {
      const { message } = item;
      if (message.room !== room || item.state === "rejected" || (message.user && message.user !== this.#user)) continue;
      this.#busy.set(room, () => {});
      item.wasSent = true;
      this.#enter(item, "sending");
      const { key: _key, user: _user, createdMs: _created, ...publish } = message;
      return link.command("publish", publish, (reply) => this.#answered(item, reply));
    }
  }

  #answered(item: Item, reply: Reply<"published">): void {
    const { room, key, messageId } = item.message;
    this.#busy.delete(room);
    const isHeld = this.#items.get(key) === item;
    if (!reply) {
      if (isHeld) this.#enter(item, "waiting");
      return;
    }
    if (!isHeld) return this.#pump(room);
    if (reply.type === "published") {
      const { position = { epoch: 0, offset: 0 }, timeMs, duplicate } = reply.value;
      this.#stored(item, { position, timeMs, duplicate, messageId });
      return this.#pump(room);
    }
    const error = new KonvertError(reply.value);
    if (error.temporary) return this.#rest(item, error);
    this.#reject(item, error);
    this.#pump(room);
  }

  /** Not now: the room waits behind this message, so that order holds. */
  #rest(item: Item, { retryAfterMs }: KonvertError): void {
    const { room } = item.message;
    const growing = this.#platform.random() * Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(item.tries++, 20));
    this.#enter(item, "waiting");
    const cancel = this.#platform.after(Math.max(retryAfterMs, growing), () => {
      this.#busy.delete(room);
      this.#pump(room);
    });
    this.#busy.set(room, cancel);
  }

  #stored(item: Item, published: Published): void {
    this.#forget(item);
    this.#tell({ ...shown(item), state: "stored", published });
    for (const { resolve } of item.waiting.splice(0)) resolve(published);
  }

  #reject(item: Item, error: KonvertError): void {
    item.error = error;
    // The answer to a compare-and-append is for whoever asked: trying it again by itself makes no sense.
    if (item.message.expected) this.#forget(item);
    this.#enter(item, "rejected");
    const rejected = [...this.#items.values()].filter(({ state }) => state === "rejected");
    if (rejected.length > REJECTED_MAX) this.drop((rejected[0] as Item).message.key);
    this.#fail(item, error);
  }

  #fail(item: Item, error: KonvertError): void {
    for (const { reject } of item.waiting.splice(0)) reject(error);
  }

  #rename(item: Item): void {
    this.#forget(item);
    const messageId = this.#platform.id();
    item.message = { ...item.message, messageId, key: keyOf(item.message.room, messageId) };
    this.#items.set(item.message.key, item);
    this.#bytes += item.message.payload.length;
    this.#write(() => this.#store.put(item.message));
  }

  #forget({ message }: Item): void {
    if (this.#items.delete(message.key)) this.#bytes -= message.payload.length;
    this.#write(() => this.#store.remove(message.key));
  }

  #enter(item: Item, state: Item["state"]): void {
    item.state = state;
    this.#tell(shown(item));
  }

  /** One after the other: a message must not be removed before it was put. */
  #write(write: () => Promise<void>): void {
    this.#writes = this.#writes.then(write).catch((error) => this.#warn(sdkError("storage", String(error))));
  }
}

/** How a message is found in the outbox and in its store. */
export const keyOf = (room: string, messageId: string) => `${room} ${messageId}`;

const shown = ({ message, state, error }: Item): OutboxMessage => (error ? { ...message, state, error } : { ...message, state });
