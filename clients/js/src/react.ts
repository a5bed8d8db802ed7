// React hooks: a room in a component, without keeping anything twice.
//
// `<KonvertProvider value={konvert}>`, then `useConnection`, `useRoom`, `useMessages`, `usePresence`.
// Invariants: a room is subscribed for as long as a component uses it, and a little longer, so that moving between
// components or a double mount costs nothing; a render sees one moment of a room, never half of a change.
import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { ConnectionState } from "./core/connection.js";
import type { FoldedMessage } from "./core/fold.js";
import type { Konvert } from "./core/konvert.js";
import type { OutboxMessage } from "./core/outbox.js";
import type { Presence } from "./core/presence.js";
import type { Room } from "./core/room.js";
import type { RoomState, SubscribeOptions } from "./core/room_types.js";
import type { RoomView } from "./core/view.js";

/** A room nobody uses any more is left after this, milliseconds. */
const LINGER_MS = 2_000;

const Context = createContext<Konvert | null>(null);

/** Gives a `Konvert` to all components below. */
export const KonvertProvider = Context.Provider;

/** The `Konvert` of the provider above. */
export function useKonvert(): Konvert {
  const konvert = useContext(Context);
  if (!konvert) throw new Error("There is no <KonvertProvider value={konvert}> above this component.");
  return konvert;
}

/** The state of the connection. */
export function useConnection(): ConnectionState {
  const konvert = useKonvert();
  const subscribe = useCallback((changed: () => void) => konvert.on("state", changed), [konvert]);
  return useSyncExternalStore(
    subscribe,
    () => konvert.state,
    () => konvert.state,
  );
}

/** A room as a component uses it. */
export interface UsedRoom {
  /** The handle: publish, react, mark as read. */
  readonly room: Room;
  /** Where the room stands. */
  readonly state: RoomState;
  /** Number of unread messages. */
  readonly unread: number;
  /** User ids of those who are typing. */
  readonly typing: readonly string[];
}

/** Subscribes to a room for as long as a component uses it. Options count for the first who uses it. Default: `last: 50`. */
export function useRoom(name: string, options: Omit<SubscribeOptions, "signal"> = { last: 50 }): UsedRoom {
  const room = useKonvert().room(name);
  const used = usageOf(room);
  // Not for every new object: the first options count.
  useEffect(() => used.retain(options), [used]);
  return useSyncExternalStore(used.onRoom, used.room, used.room);
}

/** Messages of a room, as people see them now. */
export interface UsedMessages {
  /** Folded messages in order. */
  readonly messages: readonly FoldedMessage[];
  /** Our own that are on their way or were rejected. */
  readonly pending: readonly OutboxMessage[];
  /** Whether there are older ones to ask for. */
  readonly hasOlder: boolean;
  /** Whether older ones are being fetched. */
  readonly isLoading: boolean;
  /** Asks for older ones. */
  readonly loadOlder: (count?: number) => Promise<void>;
}

/** The messages of a room that a component above uses by `useRoom`. */
export function useMessages(room: Room): UsedMessages {
  const used = usageOf(room);
  const [isLoading, setLoading] = useState(false);
  const { items, pending } = useSyncExternalStore(used.onView, used.messages, used.messages);
  const loadOlder = useCallback(
    async (count?: number) => {
      setLoading(true);
      try {
        await used.view.older(count);
      } finally {
        setLoading(false);
      }
    },
    [used],
  );
  return { messages: items, pending, hasOlder: used.view.hasOlder, isLoading, loadOlder };
}

/** Who is in a room that a component above uses by `useRoom` with `presence: true`. */
export function usePresence(room: Room): Presence {
  const used = usageOf(room);
  return useSyncExternalStore(used.onPresence, used.presence, used.presence);
}

/** What hooks share of a room: one view, one subscription, however many components. */
class Usage {
  readonly view: RoomView;
  readonly #room: Room;
  #users = 0;
  #leaving: ReturnType<typeof setTimeout> | undefined;
  #shown: UsedRoom;

  constructor(room: Room) {
    this.#room = room;
    this.view = room.view();
    this.#shown = this.#look();
    for (const event of ["state", "unread", "typing"] as const) {
      room.on(event, () => {
        this.#shown = this.#look();
      });
    }
  }

  readonly room = () => this.#shown;
  readonly messages = () => this.view.snapshot;
  readonly presence = () => this.#room.presence;
  readonly onView = (changed: () => void) => this.view.on("change", changed);
  readonly onPresence = (changed: () => void) => {
    const offs = [this.#room.on("presence", changed), this.#room.on("state", changed)];
    return () => {
      for (const off of offs) off();
    };
  };
  readonly onRoom = (changed: () => void) => {
    const offs = (["state", "unread", "typing"] as const).map((event) => this.#room.on(event, changed));
    return () => {
      for (const off of offs) off();
    };
  };

  retain(options: SubscribeOptions): () => void {
    clearTimeout(this.#leaving);
    this.#users++;
    // Failures show as the state `refused`.
    if (this.#room.state === "idle" || this.#room.state === "refused") {
      const position = this.#room.position;
      // Back after a pause: what the view has goes on where it stands.
      const again = position && this.view.items.length ? { since: position, ...(options.presence ? { presence: true } : {}) } : options;
      void this.#room.subscribe(again);
    } else if (options.presence) void this.#room.subscribe(options);
    return () => {
      this.#users--;
      clearTimeout(this.#leaving);
      this.#leaving = setTimeout(() => this.#users || this.#room.unsubscribe(), LINGER_MS);
    };
  }

  #look(): UsedRoom {
    const { state, unread, typing } = this.#room;
    return { room: this.#room, state, unread, typing };
  }
}

const usages = new WeakMap<Room, Usage>();

function usageOf(room: Room): Usage {
  let usage = usages.get(room);
  if (!usage) usages.set(room, (usage = new Usage(room)));
  return usage;
}
