// One connection for all tabs: to each of them it looks like a server of its own.
//
// Owns the link and who is connected through it. What a tab knows of staying in step stays in the tab; the hub keeps
// the promises of a server towards it. Invariant: when the link ends every tab hears so with the same code, and
// resumes from its own positions: nothing of a tab is kept here that it could lose.
import { CLOSE, KonvertError } from "../core/errors.js";
import { HANDSHAKE_MS, Link, type Reply } from "../core/link.js";
import { toText } from "../core/message.js";
import type { Platform } from "../core/platform.js";
import type { Transport } from "../core/transport.js";
import type { Answer, Answers, ClientFrame, Commands, Connect, Connected, ServerFrame } from "../core/wire.js";
import { HubRoom } from "./hub_room.js";

/** A tab's connection to the hub. */
export interface Port {
  /** Says frames to the tab. */
  say(...frames: ServerFrame[]): void;
  /** Ends it. */
  close(code: number, reason: string): void;
}

export class Hub {
  readonly #transport: Transport;
  readonly #platform: Platform;
  readonly #ports = new Set<Port>();
  /** Those who wait for the link, with the id of their `connect` and their token. */
  #knocking = new Map<Port, { readonly id: number; readonly token: string }>();
  /** With what the link was opened. */
  #token = "";
  #link: Link | null = null;
  #connected: Connected | null = null;
  #connectedAtMs = 0;
  readonly #rooms = new Map<string, HubRoom>();
  #offWake: () => void = () => {};

  constructor(transport: Transport, platform: Platform) {
    this.#transport = transport;
    this.#platform = platform;
  }

  /** Frames of a tab. */
  hear(port: Port, frames: readonly ClientFrame[]): void {
    for (const frame of frames) this.#frame(port, frame);
  }

  /** A tab is gone. */
  left(port: Port): void {
    this.#ports.delete(port);
    this.#knocking.delete(port);
    for (const [name, room] of this.#rooms) if (room.leave(port)) this.#drop(name);
    if (this.#ports.size || this.#knocking.size) return;
    this.#link?.close(3000, "");
  }

  /** Ends everything. */
  close(code: number, reason: string): void {
    const link = this.#link;
    if (link) link.close(code, reason);
    else this.#ended(code, reason);
    this.#transport.dispose?.();
  }

  #frame(port: Port, frame: ClientFrame): void {
    const { id } = frame;
    if (frame.type === "connect") return this.#knock(port, id, frame.value);
    if (!this.#ports.has(port) || !this.#link) return;
    switch (frame.type) {
      case "ping":
        // Whether the server is there is asked here, once for all.
        return port.say({ id, type: "pong", value: {} });
      case "subscribe":
        return this.#room(frame.value.room).subscribe(port, id, frame.value);
      case "unsubscribe":
        if (this.#rooms.get(frame.value.room)?.leave(port)) this.#drop(frame.value.room);
        return id ? port.say({ id, type: "unsubscribed", value: frame.value }) : undefined;
      case "signal":
        this.#echo(port, frame.value);
    }
    this.#forward(port, id, frame.type, frame.value);
  }

  /** Asks the server and gives its answer to the tab. */
  #forward<Type extends keyof Commands>(port: Port, id: number, type: Type, value: Commands[Type]): void {
    this.#link?.command(type, value, (reply) => {
      const answer = reply as Reply<keyof Answers>;
      // Without an answer the tab is about to hear that the link ended.
      if (answer && this.#ports.has(port)) port.say({ ...answer, id } as ServerFrame);
    });
  }

  /** The server tells signals to other connections only; between tabs that is for us to do. */
  #echo(from: Port, { room, payload }: Commands["signal"]): void {
    const value = { room, sender: this.#connected?.user ?? "", payload };
    this.#rooms.get(room)?.tell({ id: 0, type: "signal", value }, from);
  }

  #knock(port: Port, id: number, connect: Connect): void {
    const connected = this.#connected;
    if (connected) return this.#welcome(port, id, connected, connect.token ?? "");
    this.#knocking.set(port, { id, token: connect.token ?? "" });
    if (!this.#link) this.#open(connect);
  }

  #welcome(port: Port, id: number, connected: Connected, token: string): void {
    const sub = subjectOf(token);
    if (sub && sub !== connected.user) {
      const error = { code: 203, name: "other_user", message: "Tabs that share a connection must be of one user." };
      const value = { ...error, temporary: false, retryAfterMs: 0, firstOffset: 0 };
      port.say({ id, type: "error", value });
      return port.close(4401, error.name);
    }
    this.#ports.add(port);
    // Rooms are asked for one by one: most of them are answered from here.
    const timeMs = connected.timeMs && connected.timeMs + this.#platform.now() - this.#connectedAtMs;
    port.say({ id, type: "connected", value: { ...connected, timeMs, rooms: [] } });
  }

  #open(connect: Connect): void {
    this.#offWake = this.#platform.onWake(() => this.#link?.probe());
    try {
      const link = this.#make(connect);
      this.#link = link.isOver ? null : link;
    } catch (error) {
      this.#ended(3001, String(error));
    }
  }

  #make(connect: Connect): Link {
    const { rooms: _rooms, ...who } = connect;
    this.#token = connect.token ?? "";
    const link: Link = new Link(this.#transport, this.#platform, {
      // Shorter than the patience of the tabs: a way that leads nowhere must be found out here, where the next is taken.
      onOpen: () => link.command("connect", who, (reply) => this.#answered(link, reply), HANDSHAKE_MS),
      onPush: (push) => this.#push(push),
      onProven: () => {},
      onClose: (code, reason) => this.#ended(code, reason),
    });
    return link;
  }

  #answered(link: Link, reply: Reply<"connected">): void {
    if (!reply) return;
    const knocking = this.#knocking;
    this.#knocking = new Map();
    if (reply.type === "error") {
      // What was said of one tab's token is no word about another's: they come again with theirs. Advice is for all.
      const isOfToken = Math.floor(reply.value.code / 100) === 2;
      for (const [port, { id, token }] of knocking) {
        if (isOfToken && token !== this.#token) port.close(CLOSE.network, "another tab's token was refused");
        else {
          port.say({ ...reply, id });
          this.#ports.add(port);
        }
      }
      return link.close(4401, new KonvertError(reply.value).name);
    }
    const { value } = reply;
    link.established(value.heartbeatMs, value.limits);
    this.#connected = value;
    this.#connectedAtMs = this.#platform.now();
    for (const [port, { id }] of knocking) {
      this.#ports.add(port);
      port.say({ id, type: "connected", value: { ...value, rooms: [] } });
    }
  }

  #ended(code: number, reason: string): void {
    this.#offWake();
    this.#link = null;
    this.#connected = null;
    this.#rooms.clear();
    const ports = [...this.#ports, ...this.#knocking.keys()];
    this.#ports.clear();
    this.#knocking.clear();
    for (const port of ports) port.close(code, reason);
  }

  #push(push: Answer): void {
    const frame = { id: 0, ...push } as ServerFrame;
    if (push.type === "tokenExpiring" || push.type === "error") {
      // One tab is enough: its new token is everybody's.
      for (const port of this.#ports) return port.say(frame);
    } else if ("room" in push.value) {
      const room = this.#rooms.get(push.value.room);
      room?.push(push, frame);
      if (push.type === "membershipChanged" && !push.value.allow.length) this.#rooms.delete(push.value.room);
    } else for (const port of this.#ports) port.say(frame);
  }

  #room(name: string): HubRoom {
    let room = this.#rooms.get(name);
    if (!room) {
      const host = {
        user: () => this.#connected?.user ?? "",
        link: () => this.#link as Link,
        // What cannot be told to a tab in the middle of a subscription is told by ending its connection.
        restart: () => this.close(3007, "the room begins anew"),
      };
      this.#rooms.set(name, (room = new HubRoom(name, host)));
    }
    return room;
  }

  #drop(name: string): void {
    this.#rooms.delete(name);
    this.#link?.say({ type: "unsubscribe", value: { room: name } });
  }
}

/** Whose token this is, as far as one can read it. */
function subjectOf(token: string): string {
  try {
    const [, claims = ""] = token.split(".");
    const bytes = Uint8Array.from(atob(claims.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    return String(JSON.parse(toText(bytes)).sub ?? "");
  } catch {
    return "";
  }
}
