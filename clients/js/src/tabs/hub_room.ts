// One room for all tabs: subscribed once at the server, and served to every tab from its own position.
//
// Owns where the shared subscription stands and who listens. What a tab missed before that comes from history.
// Invariants: one subscribe at a time goes to the server; a tab is attached only when its last message is not behind
// the shared subscription, so that the next push is its next message.
import type { Link } from "../core/link.js";
import { Markers } from "../core/markers.js";
import { Message } from "../core/message.js";
import type { Answer, PresenceState, ServerFrame, Subscribe, Subscribed, WireError, WirePage } from "../core/wire.js";
import type { Port } from "./hub.js";

/** What a room is lent by its hub. */
export interface HubRoomHost {
  user(): string;
  link(): Link;
  /** The only way out of what cannot be repaired: everybody connects anew. */
  restart(): void;
}

interface Wanted {
  readonly port: Port;
  readonly id: number;
  readonly subscribe: Subscribe;
}

export class HubRoom {
  readonly #name: string;
  readonly #host: HubRoomHost;
  /** Attached tabs. */
  readonly #ports = new Set<Port>();
  /** Tabs that are catching up or wait for their turn. */
  readonly #comers = new Set<Port>();
  /** Tabs that want presence: with the last of them the user is here no more. */
  readonly #watchers = new Set<Port>();
  readonly #markers: Markers;
  #queue: Wanted[] = [];
  #isBusy = false;
  #page: Subscribed | null = null;
  #hasPresence = false;
  #epoch = 0;
  #last = 0;

  constructor(name: string, host: HubRoomHost) {
    this.#name = name;
    this.#host = host;
    this.#markers = new Markers(
      () => Promise.reject(new Error("markers are moved by the tabs")),
      () => {},
    );
  }

  /** A tab wants in, or asks for its next page. */
  subscribe(port: Port, id: number, subscribe: Subscribe): void {
    this.#ports.delete(port);
    this.#comers.add(port);
    if (subscribe.presence) this.#watchers.add(port);
    else this.#watchers.delete(port);
    this.#queue.push({ port, id, subscribe });
    this.#next();
  }

  /** A tab leaves; tells whether it was the last. */
  leave(port: Port): boolean {
    this.#ports.delete(port);
    this.#forget(port);
    this.#queue = this.#queue.filter((wanted) => wanted.port !== port);
    if (!this.#ports.size && !this.#comers.size) return true;
    this.#next();
    return false;
  }

  /** Says something to all attached tabs but one. */
  tell(frame: ServerFrame, but?: Port): void {
    for (const port of this.#ports) if (port !== but) port.say(frame);
  }

  /** A push of the server. */
  push(push: Answer, frame: ServerFrame): void {
    if (push.type === "membershipChanged") {
      for (const port of [...this.#ports, ...this.#comers]) port.say(frame);
      return;
    }
    if (!this.#page) return;
    if (push.type === "message") {
      // A gap is the server's, which leaves none; the tabs would each find it, and ask.
      if (push.value.offset <= this.#last) return;
      this.#last = push.value.offset;
      this.#markers.seen(new Message(push.value, this.#name, this.#epoch));
    }
    if (push.type === "readMarker") this.#markers.marker(push.value, push.value.user === this.#host.user());
    this.tell(frame);
  }

  #next(): void {
    if (this.#isBusy) return;
    const isUnwatched = this.#hasPresence && !this.#watchers.size;
    const wanted = isUnwatched ? undefined : this.#queue.shift();
    if (!wanted && !isUnwatched) return;
    this.#isBusy = true;
    const done = () => {
      this.#isBusy = false;
      this.#next();
    };
    if (!wanted) this.#renew(false, done);
    else if (!this.#page) this.#attach(wanted, done);
    else if (wanted.subscribe.presence && !this.#hasPresence) this.#renew(true, () => this.#serve(wanted, done));
    else this.#serve(wanted, done);
  }

  /** Nobody is attached: the server answers the tab, and what it says holds for the room. */
  #attach({ port, id, subscribe }: Wanted, done: () => void): void {
    this.#host.link().command("subscribe", subscribe, (reply) => {
      if (!reply) return;
      if (reply.type === "subscribed" && !reply.value.more) {
        this.#attached(reply.value, !!subscribe.presence);
        this.#enter(port);
      }
      if (reply.type === "error") this.#forget(port);
      port.say({ ...reply, id });
      done();
    });
  }

  #attached(page: Subscribed, hasPresence: boolean): void {
    this.#page = { ...page, messages: [] };
    this.#hasPresence = hasPresence;
    this.#epoch = page.position?.epoch ?? 0;
    this.#last = Math.max(page.messages.at(-1)?.offset ?? 0, page.position?.offset ?? 0);
    for (const message of page.messages) this.#markers.caughtUp(new Message(message, this.#name, this.#epoch));
    this.#markers.attached(page);
  }

  /** The shared subscription is made anew from where it stands, with presence or without. */
  #renew(presence: boolean, then: () => void): void {
    const since = { epoch: this.#epoch, offset: this.#last };
    this.#host.link().command("subscribe", { room: this.#name, since, presence }, (reply) => {
      if (!reply) return;
      if (reply.type === "error" || reply.value.more) return this.#host.restart();
      for (const value of reply.value.messages) this.tell({ id: 0, type: "message", value: { ...value, room: this.#name } });
      this.#attached(reply.value, presence);
      then();
    });
  }

  /** What the tab missed comes from history; where that ends the shared subscription goes on. */
  #serve(wanted: Wanted, done: () => void): void {
    const { since, last = 0 } = wanted.subscribe;
    if (since && since.epoch !== this.#epoch) return this.#refuse(wanted, this.#epochChanged(), done);
    const from = since ? since.offset + 1 : last ? Math.max(this.#page?.firstOffset ?? 1, this.#last - last + 1) : this.#last + 1;
    this.#read(wanted, from, !since, done);
  }

  #read(wanted: Wanted, from: number, isFree: boolean, done: () => void): void {
    if (from > this.#last) return this.#answer(wanted, [], false, done);
    this.#host.link().command("history", { room: this.#name, from, direction: "forward" }, (reply) => {
      if (!reply) return;
      if (reply.type === "error") {
        // Whoever asked for the newest few does not mind where they begin.
        const { name, firstOffset } = reply.value;
        if (isFree && name === "trimmed" && firstOffset > from) return this.#read(wanted, firstOffset, false, done);
        return this.#refuse(wanted, reply.value, done);
      }
      this.#took(wanted, reply.value, done);
    });
  }

  #took(wanted: Wanted, page: WirePage, done: () => void): void {
    if (page.position?.epoch !== this.#epoch) return this.#host.restart();
    const end = page.messages.at(-1)?.offset ?? 0;
    this.#answer(wanted, page.messages, page.more || end < this.#last, done);
  }

  #answer({ port, id, subscribe }: Wanted, messages: Subscribed["messages"], more: boolean, done: () => void): void {
    const say = (presence?: PresenceState) => {
      const position = { epoch: this.#epoch, offset: Math.max(this.#last, messages.at(-1)?.offset ?? 0) };
      const { unread, offset: readOffset } = this.#markers;
      const { presence: _held, ...page } = this.#page as Subscribed;
      const value = { ...page, position, messages, more, unread, readOffset, ...(presence ? { presence } : {}) };
      if (!more) this.#enter(port);
      port.say({ id, type: "subscribed", value });
      done();
    };
    if (more || !subscribe.presence) return say();
    this.#host.link().command("presence", { room: this.#name }, (reply) => {
      if (!reply) return;
      // Pushes came while this was under way: then there is one more page to fetch.
      const end = Math.max(messages.at(-1)?.offset ?? 0, subscribe.since?.offset ?? 0);
      if (end < this.#last && (messages.length || subscribe.since)) more = true;
      say(reply.type === "presence" && !more ? reply.value : undefined);
    });
  }

  #refuse({ port, id }: Wanted, value: WireError, done: () => void): void {
    this.#forget(port);
    port.say({ id, type: "error", value });
    done();
  }

  #epochChanged(): WireError {
    const position = { epoch: this.#epoch, offset: this.#last };
    const firstOffset = this.#page?.firstOffset ?? 1;
    return { code: 304, name: "epoch_changed", message: "", temporary: false, retryAfterMs: 0, position, firstOffset };
  }

  #forget(port: Port): void {
    this.#comers.delete(port);
    this.#watchers.delete(port);
  }

  #enter(port: Port): void {
    if (this.#comers.delete(port)) this.#ports.add(port);
  }
}
