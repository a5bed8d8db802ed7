// Several tabs, one connection: `new Konvert(url, { transport: shareTabs({ key: userId }) })`.
//
// Web Locks choose the leader, who owns the connection; the others speak through it over a BroadcastChannel. To a tab
// this is a transport like any other, so that a leader's end is a lost connection: it resumes from its own positions,
// and nothing is lost or doubled. Invariant: who has the lock is the leader, and nobody else has a hub.
import { CLOSE } from "../core/errors.js";
import type { Platform } from "../core/platform.js";
import type { Channel, ChannelEvents, Transport } from "../core/transport.js";
import type { ClientFrame, ServerFrame } from "../core/wire.js";
import { Hub, type Port } from "./hub.js";
import type { BusLike, LocksLike } from "./locks.js";

export type { BusLike, LocksLike } from "./locks.js";

/** Who shares. */
export interface ShareTabsOptions {
  /** Tabs with the same key share: the id of the user, or whatever else differs between users of one browser. */
  readonly key: string;
  /** Default: the page's own. */
  readonly locks?: LocksLike;
  /** Default: a `BroadcastChannel` of this name. */
  readonly bus?: (name: string) => BusLike;
}

/** A leader that does not answer for this long is replaced: its tab is frozen. */
const PATIENCE_MS = 4_000;

/** What goes over the bus. `to` is a tab, or `leader`. */
type Note =
  | { readonly to: string; readonly from: string; readonly port: string; readonly what: "open" | "welcome" | "bye" }
  | { readonly to: string; readonly from: string; readonly port: string; readonly what: "frames"; readonly frames: readonly never[] }
  | {
      readonly to: string;
      readonly from: string;
      readonly port: string;
      readonly what: "close";
      readonly code: number;
      readonly reason: string;
    }
  | { readonly to: "all"; readonly from: string; readonly port: ""; readonly what: "leader" };

/** Shares one connection between tabs; where the browser cannot, every tab has its own. */
export function shareTabs({ key, ...given }: ShareTabsOptions) {
  return (direct: Transport, platform: Platform, url: string): Transport => {
    const locks = given.locks ?? (globalThis.navigator as { locks?: LocksLike } | undefined)?.locks;
    const bus = given.bus ?? ("BroadcastChannel" in globalThis ? (name: string) => new BroadcastChannel(name) as BusLike : undefined);
    return locks && bus ? new TabsTransport(direct, platform, locks, bus, `konvert ${url} ${key}`) : direct;
  };
}

class TabsTransport implements Transport {
  readonly usable = true;
  readonly #direct: Transport;
  readonly #platform: Platform;
  readonly #locks: LocksLike;
  readonly #makeBus: (name: string) => BusLike;
  readonly #key: string;
  readonly #tab: string;
  #bus: BusLike | null = null;
  #hub: Hub | null = null;
  /** Lets go of leadership. */
  #resign: () => void = () => {};
  #standing: AbortController | null = null;
  /** Our own connection, while there is one. */
  #channel: TabChannel | null = null;
  /** As the leader: ports of other tabs. */
  readonly #ports = new Map<string, RemotePort>();

  constructor(direct: Transport, platform: Platform, locks: LocksLike, bus: (name: string) => BusLike, key: string) {
    this.#direct = direct;
    this.#platform = platform;
    this.#locks = locks;
    this.#makeBus = bus;
    this.#key = key;
    this.#tab = platform.id();
  }

  /** The leader knows over what; to the others it is another tab. */
  get name(): string {
    return this.#hub ? this.#direct.name : "tabs";
  }

  open(events: ChannelEvents): Channel {
    if (!this.#bus) this.#begin();
    const channel = new TabChannel(
      this.#platform,
      events,
      (note) => this.#post(note),
      () => this.#stand(true),
    );
    this.#channel = channel;
    if (this.#hub) channel.local(this.#hub);
    return channel;
  }

  dispose(): void {
    this.#standing?.abort();
    this.#standing = null;
    this.#resign();
    this.#bus?.close();
    this.#bus = null;
  }

  #begin(): void {
    const bus = this.#makeBus(this.#key);
    this.#bus = bus;
    bus.onmessage = ({ data }) => this.#hear(data as Note);
    // Held for as long as the tab lives, so that its leader knows when it does not.
    const alive = new AbortController();
    this.#hold(`${this.#key} ${this.#tab}`, { signal: alive.signal }, (release) => {
      const resign = this.#resign;
      this.#resign = () => {
        resign();
        release();
        alive.abort();
      };
    });
    this.#stand(false);
  }

  /** Stands for leader; by force, when the one we have does not answer. */
  #stand(byForce: boolean): void {
    if (this.#hub || !this.#bus) return;
    this.#standing?.abort();
    const standing = new AbortController();
    this.#standing = standing;
    const options = byForce ? { steal: true } : { signal: standing.signal };
    this.#hold(
      this.#key,
      options,
      (release) => this.#lead(release),
      () => this.#deposed(),
    );
  }

  #hold(name: string, options: { steal?: boolean; signal?: AbortSignal }, held: (release: () => void) => void, lost = () => {}): void {
    const request = this.#locks.request(name, options, () => new Promise<void>((release) => held(release)));
    // Given up, or taken from us.
    request.catch(lost);
  }

  #lead(release: () => void): void {
    if (!this.#bus) return release();
    const hub = new Hub(this.#direct, this.#platform);
    this.#hub = hub;
    const resign = this.#resign;
    this.#resign = () => {
      resign();
      this.#abdicate();
      release();
    };
    this.#post({ to: "all", from: this.#tab, port: "", what: "leader" });
    // Whoever of us waits for an answer of the one before gets it from here.
    this.#channel?.local(hub);
  }

  /** Somebody took the lock: we were frozen. */
  #deposed(): void {
    if (!this.#hub || !this.#bus) return;
    this.#abdicate();
    this.#stand(false);
  }

  #abdicate(): void {
    const hub = this.#hub;
    this.#hub = null;
    hub?.close(CLOSE.leader_changed, "another tab leads");
    this.#ports.clear();
  }

  #post(note: Note | Omit<Note, "from">): void {
    this.#bus?.postMessage({ ...note, from: this.#tab });
  }

  #hear(note: Note): void {
    if (note.what === "leader") {
      // Two may believe to lead for a moment; the lock is with the one who said so last.
      this.#channel?.leaderChanged();
    } else if (note.to === this.#tab) this.#channel?.hear(note);
    else if (note.to === "leader" && this.#hub) this.#serve(this.#hub, note);
  }

  /** A note to the leader: us. */
  #serve(hub: Hub, note: Note): void {
    const port = this.#ports.get(note.port);
    if (note.what === "open") {
      const fresh = new RemotePort(
        note.from,
        note.port,
        (answer) => this.#post(answer),
        () => this.#ports.delete(note.port),
      );
      this.#ports.set(note.port, fresh);
      this.#post({ to: note.from, port: note.port, what: "welcome" });
      this.#watch(hub, fresh);
    } else if (!port) this.#post({ to: note.from, port: note.port, what: "close", code: CLOSE.leader_changed, reason: "" } as Note);
    else if (note.what === "frames") hub.hear(port, note.frames);
    else if (note.what === "bye") {
      this.#ports.delete(note.port);
      port.over.abort();
      hub.left(port);
    }
  }

  /** When a tab dies its lock is free. */
  #watch(hub: Hub, port: RemotePort): void {
    this.#hold(`${this.#key} ${port.tab}`, { signal: port.over.signal }, (release) => {
      release();
      this.#ports.delete(port.name);
      hub.left(port);
    });
  }
}

/** A tab's end of its connection to the hub: in the same tab directly, otherwise over the bus. */
class TabChannel implements Channel {
  readonly waitingBytes = 0;
  readonly #events: ChannelEvents;
  readonly #post: (note: Omit<Note, "from">) => void;
  readonly #port: string;
  readonly #cancel: () => void;
  #hub: Hub | null = null;
  #local: Port | null = null;
  #isOpen = false;
  #isOver = false;

  constructor(platform: Platform, events: ChannelEvents, post: (note: Omit<Note, "from">) => void, noAnswer: () => void) {
    this.#events = events;
    this.#post = post;
    this.#port = platform.id();
    this.#cancel = platform.after(PATIENCE_MS, noAnswer);
    Promise.resolve().then(() => this.#isOpen || this.#isOver || this.#post({ to: "leader", port: this.#port, what: "open" }));
  }

  /** We are the leader. */
  local(hub: Hub): void {
    if (this.#isOver) return;
    if (this.#isOpen) return this.leaderChanged();
    this.#hub = hub;
    const later = (call: () => void) => void Promise.resolve().then(() => this.#isOver || call());
    this.#local = {
      say: (...frames) => later(() => this.#events.onFrames(frames)),
      close: (code, reason) => later(() => this.#end(code, reason)),
    };
    this.#opened();
  }

  /** Whoever we spoke to leads no more. */
  leaderChanged(): void {
    if (this.#local) return;
    if (this.#isOpen) return this.#end(CLOSE.leader_changed, "another tab leads");
    this.#post({ to: "leader", port: this.#port, what: "open" });
  }

  hear(note: Note): void {
    if (note.port !== this.#port || this.#isOver || this.#local) return;
    if (note.what === "welcome") this.#opened();
    else if (note.what === "frames") this.#events.onFrames(note.frames as readonly ServerFrame[]);
    else if (note.what === "close") this.#end(note.code, note.reason);
  }

  send(frames: readonly ClientFrame[]): void {
    if (this.#isOver) return;
    if (this.#local) this.#hub?.hear(this.#local, frames);
    else this.#post({ to: "leader", port: this.#port, what: "frames", frames } as unknown as Note);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    if (this.#local) this.#hub?.left(this.#local);
    else this.#post({ to: "leader", port: this.#port, what: "bye" });
  }

  #opened(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#cancel();
    Promise.resolve().then(() => this.#isOver || this.#events.onOpen());
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    this.#events.onClose(code, reason);
  }
}

/** The leader's end of a connection to another tab. */
class RemotePort implements Port {
  readonly tab: string;
  readonly name: string;
  /** Aborted when nobody needs to watch the tab any more. */
  readonly over = new AbortController();
  readonly #post: (note: Omit<Note, "from">) => void;
  readonly #closed: () => void;

  constructor(tab: string, name: string, post: (note: Omit<Note, "from">) => void, closed: () => void) {
    this.tab = tab;
    this.name = name;
    this.#post = post;
    this.#closed = closed;
  }

  say(...frames: ServerFrame[]): void {
    this.#post({ to: this.tab, port: this.name, what: "frames", frames } as unknown as Note);
  }

  close(code: number, reason: string): void {
    this.over.abort();
    this.#closed();
    this.#post({ to: this.tab, port: this.name, what: "close", code, reason } as unknown as Note);
  }
}
