// A room as the application holds it: subscribe, publish, read, and be told.
//
// A handle over the parts that know how: attachment, outbox, presence, markers, typing, history. Knows no socket.
// Invariant: `message` is told once per message, in order, without a hole; where that is impossible `reset` says why.
import { Attachment } from "./attachment.js";
import { type Abort, Emitter, onAbort } from "./emitter.js";
import { type KonvertError, sdkError } from "./errors.js";
import { type HistoryOptions, type HistoryPage, historyPage, walkHistory } from "./history.js";
import { Markers } from "./markers.js";
import { Message, type Payload, toBytes } from "./message.js";
import type { OutboxMessage } from "./outbox.js";
import { NOBODY, type Presence } from "./presence.js";
import type { Publishing, PublishOptions, RoomEvents, RoomHost, RoomState, SubscribeOptions } from "./room_types.js";
import type { Start } from "./sync.js";
import { TYPING, Typing } from "./typing.js";
import { RoomView, type ViewOptions } from "./view.js";
import { Who } from "./who.js";
import type { Answer, Mode, Position, ReadMarker, Subscribed, WireMessage } from "./wire.js";

/** A room: made by `konvert.room()`, the same one for the same name. */
export class Room extends Emitter<RoomEvents> {
  /** The room's name. */
  readonly name: string;
  readonly #host: RoomHost;
  readonly #typing: Typing;
  readonly #markers: Markers;
  #attachment: Attachment | null = null;
  #who: Who;
  #ownState: Uint8Array | null = null;
  #state: RoomState = "idle";
  #position: Position | null = null;
  #mode: Mode = "server_readable";
  /** Calls to `subscribe` that wait. */
  readonly #waiting = new Set<(error?: KonvertError) => void>();

  /** Made by `konvert.room()`. */
  constructor(name: string, host: RoomHost) {
    super();
    this.name = name;
    this.#host = host;
    this.#typing = new Typing(host.platform, (users) => this.emit("typing", users));
    this.#who = this.#makeWho();
    this.#markers = new Markers(
      (offset) => host.requests.ask("read", { room: name, offset }),
      () => this.emit("unread", this.#markers.unread),
    );
  }

  /** Where the room stands. */
  get state(): RoomState {
    return this.#state;
  }
  /** The position of the last message told; keep it to go on from there in another session. */
  get position(): Position | null {
    return this.#position ?? this.#attachment?.position ?? null;
  }
  /** First retained offset, as last told by the server. */
  get firstOffset(): number {
    return this.#attachment?.firstOffset ?? 1;
  }
  /** Whether the server can read the room's payloads. */
  get mode(): Mode {
    return this.#mode;
  }
  /** Who is there; empty without `presence: true`. */
  get presence(): Presence {
    return this.#attachment ? this.#who.held : NOBODY;
  }
  /** User ids of those who are typing. */
  get typing(): readonly string[] {
    return this.#typing.users;
  }
  /** Number of countable messages behind our read marker. */
  get unread(): number {
    return this.#markers.unread;
  }
  /** Our own read marker. */
  get readOffset(): number {
    return this.#markers.offset;
  }
  /** The markers of others that moved while we were here. */
  get markers(): ReadonlyMap<string, ReadMarker> {
    return this.#markers.others;
  }
  /** Our messages that are not stored yet, and rejected ones, oldest first. */
  get pending(): readonly OutboxMessage[] {
    return this.#host.pending(this.name);
  }

  /** Subscribes, for as long as it takes and over every reconnect; settled when the room is live. */
  subscribe(options: SubscribeOptions = {}): Promise<void> {
    const { since, last, presence = false, signal } = options;
    if (signal?.aborted) return Promise.reject(sdkError("aborted"));
    if (!this.#attachment || this.#attachment.hasEnded) {
      const start: Start = since !== undefined ? { since } : last ? { last } : {};
      this.#position = null;
      this.#attachment = this.#attach(start, presence);
      this.#enter("attaching");
      if (this.#host.link) this.#attachment.up(this.#host.link);
    } else if (presence) this.#attachment.withPresence();
    const attachment = this.#attachment;
    onAbort(signal, () => this.#attachment === attachment && this.unsubscribe());
    if (attachment.isAttached) return Promise.resolve();
    const attached = new Promise<void>((resolve, reject) => {
      const settle = (error?: KonvertError) => {
        this.#waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.add(settle);
    });
    // Whoever does not wait for it hears of it by the event `refused`.
    attached.catch(() => {});
    return attached;
  }

  /** Leaves the room. The handle stays usable, also for publishing. */
  unsubscribe(): void {
    const attachment = this.#attachment;
    this.#attachment = null;
    attachment?.end();
    this.#gone();
    if (attachment) this.#enter("idle");
    this.#settle(sdkError("aborted", "the room was left"));
  }

  /** Publishes; the promise is settled when the message is on the server's disk, however long that takes. */
  publish(payload: Payload, options: PublishOptions = {}): Publishing {
    this.#typing.said();
    return this.#host.publish(this.name, toBytes(payload), options);
  }
  /** Answers a message. */
  reply(offset: number, payload: Payload, options: PublishOptions = {}): Publishing {
    return this.publish(payload, { ...options, relation: { kind: "reply", offset } });
  }
  /** Says a message anew. */
  edit(offset: number, payload: Payload, options: PublishOptions = {}): Publishing {
    return this.publish(payload, { ...options, relation: { kind: "edit", offset } });
  }
  /** Deletes a message for everybody: its payload leaves the server's disk. Also takes back a reaction or an edit. */
  delete(offset: number, options: PublishOptions = {}): Publishing {
    return this.publish("", { ...options, relation: { kind: "delete", offset } });
  }
  /** Reacts to a message. */
  react(offset: number, reaction: string, options: PublishOptions = {}): Publishing {
    return this.publish(reaction, { ...options, relation: { kind: "reaction", offset } });
  }
  /** Adds a part to the end of one's own message: how an answer is streamed. */
  append(offset: number, part: Payload, options: PublishOptions = {}): Publishing {
    return this.publish(part, { ...options, relation: { kind: "append", offset } });
  }

  /** Sends what is never stored, at most once. Tells whether the server took it; without a connection it is dropped. */
  signal(payload: Payload): Promise<boolean> {
    const link = this.#host.link;
    if (!link || link.isCongested || !this.#attachment?.isAttached) return Promise.resolve(false);
    return new Promise((resolve) =>
      link.command("signal", { room: this.name, payload: toBytes(payload) }, (reply) => resolve(reply?.type === "signaled")),
    );
  }
  /** Tells the others that we are typing; call it at every key. */
  type(): void {
    if (this.#attachment?.isAttached && this.#typing.shouldSay()) void this.signal(TYPING);
  }

  /** Moves our read marker, by default to the last message told. It never goes back. */
  async markRead(offset = this.position?.offset ?? 0): Promise<void> {
    await this.#markers.to(offset);
  }
  /** Sets what others see of us in the room's presence, at most 256 bytes; kept over reconnects. */
  async setPresence(state: Payload): Promise<void> {
    this.#ownState = toBytes(state);
    if (!this.#attachment) throw sdkError("not_attached");
    await this.#host.requests.ask("presenceUpdate", { room: this.name, state: this.#ownState });
  }
  /** Asks who of these users is there, where the room is too big to list everybody. */
  async whoOf(users: readonly string[], options: { signal?: Abort } = {}): Promise<readonly string[]> {
    const { members } = await this.#host.requests.ask("presence", { room: this.name, users }, options.signal);
    return members.map(({ user }) => user);
  }

  /** All messages in one direction, page by page as they are asked for: `for await (const message of room.history())`. */
  history(options: HistoryOptions = {}): AsyncGenerator<Message, void, undefined> {
    return walkHistory(this.#host.requests, this.name, options);
  }
  /** One page of history, in rising order. */
  page(options: HistoryOptions = {}): Promise<HistoryPage> {
    return historyPage(this.#host.requests, this.name, options);
  }
  /** The room as people see it, with edits, reactions and what is on its way. Make it before `subscribe`. */
  view(options: ViewOptions = {}): RoomView {
    return new RoomView(this, options);
  }

  /** What `Konvert` uses. @internal */
  get attachment(): Attachment | null {
    return this.#attachment?.hasEnded ? null : this.#attachment;
  }
  /** The connection is gone. @internal */
  lost(): void {
    this.#attachment?.lost();
    this.#typing.clear();
    if (this.#state === "attached") this.#enter("attaching");
  }
  /** There will be no other connection, until `connect()`. @internal */
  closed(error: KonvertError): void {
    this.#settle(error);
  }
  /** What becomes of our messages. @internal */
  outbox(message: OutboxMessage): void {
    this.emit("outbox", message);
  }
  /** A push for this room. @internal */
  push(push: Answer): void {
    const attachment = this.attachment;
    if (!attachment) return;
    if (push.type === "message") return attachment.push(push.value);
    if (push.type === "roomChanged") return attachment.changed(push.value);
    if (push.type === "membershipChanged") return this.#rights(push.value.allow);
    if (!attachment.isAttached) return;
    if (push.type === "readMarker") this.#read(push.value);
    else if (push.type === "presenceDiff") this.#who.diff(push.value);
    else if (push.type === "signal") {
      this.#typing.heard(push.value.sender, push.value.payload);
      this.emit("signal", push.value);
    }
  }

  #attach(start: Start, presence: boolean): Attachment {
    return new Attachment(this.name, start, presence, this.#host.platform, {
      onMessages: (messages, epoch, isLive) => this.#deliver(messages, epoch, isLive),
      onReset: (reset) => {
        if (reset.forget) {
          this.#position = null;
          this.#markers.forget();
        }
        this.emit("reset", reset);
      },
      onAttached: (page) => this.#attached(page),
      onRefused: (error) => this.#refused(error),
      onStalled: (stall) => this.#host.stalled(this.name, stall),
    });
  }

  #deliver(messages: readonly WireMessage[], epoch: number, isLive: boolean): void {
    const attachment = this.#attachment;
    for (const wire of messages) {
      // A listener may have left the room; it comes back, if it does, from the last message it was told.
      if (this.#attachment !== attachment) return;
      const message = new Message(wire, this.name, epoch);
      this.#position = message.position;
      this.#typing.stopped(message.sender);
      if (isLive) this.#markers.seen(message);
      else this.#markers.caughtUp(message);
      this.#host.seen(message);
      this.emit("message", message);
    }
  }

  #attached(page: Subscribed): void {
    this.#mode = page.mode;
    this.#position = this.#attachment?.position ?? null;
    this.#markers.attached(page);
    if (page.presence) this.#who.snapshot(page.presence);
    const { requests } = this.#host;
    // A new session has no state of ours.
    if (this.#ownState) void requests.ask("presenceUpdate", { room: this.name, state: this.#ownState }).catch(() => {});
    if (this.#state !== "attached") this.#enter("attached");
    this.#settle();
  }

  #refused(error: KonvertError): void {
    this.#gone();
    this.#enter("refused");
    this.emit("refused", error);
    this.#settle(error);
  }

  #rights(allow: readonly string[]): void {
    this.emit("rights", allow);
    if (allow.length || !this.#attachment) return;
    this.#attachment.end();
    this.#refused(sdkError("not_attached", "access to the room was taken away"));
  }

  #read(marker: ReadMarker): void {
    this.#markers.marker(marker, marker.user === this.#host.user);
    this.emit("read", marker);
  }

  #makeWho(): Who {
    return new Who(this.name, this.#host, (change) => {
      for (const user of change.left) this.#typing.stopped(user);
      this.emit("presence", change);
    });
  }

  #gone(): void {
    this.#who = this.#makeWho();
    this.#typing.clear();
  }

  #settle(error?: KonvertError): void {
    for (const settle of [...this.#waiting]) settle(error);
  }

  #enter(state: RoomState): void {
    this.#state = state;
    this.emit("state", state);
  }
}
