// Who is in a room: a snapshot and the diffs behind it. Pure.
//
// Invariant: a diff is applied only to the version before it; anything else asks for the snapshot.
import type { Member, PresenceDiff, PresenceState } from "./wire.js";

/** Who is in a room. */
export interface Presence {
  /** Those present by user id; incomplete when `countOnly`. */
  readonly members: ReadonlyMap<string, Member>;
  /** How many users are present. */
  readonly count: number;
  /** Whether the room is too big to list its members. */
  readonly countOnly: boolean;
}

/** What changed in who is there. */
export interface PresenceChange extends Presence {
  /** Users who came, or whose name or state changed. */
  readonly joined: readonly Member[];
  /** Users who left. */
  readonly left: readonly string[];
}

export const NOBODY: Presence = { members: new Map(), count: 0, countOnly: false };

export class PresenceLog {
  #version = 0;
  #held = NOBODY;

  get held(): Presence {
    return this.#held;
  }

  /** Takes a snapshot; tells what is different. */
  snapshot({ version, count, members, countOnly }: PresenceState): PresenceChange {
    const before = this.#held.members;
    const now = new Map(members.map((member) => [member.user, member]));
    this.#version = version;
    this.#held = { members: now, count, countOnly };
    const joined = members.filter((member) => !isSame(before.get(member.user), member));
    const left = [...before.keys()].filter((user) => !now.has(user));
    return { ...this.#held, joined, left };
  }

  /** Takes a diff; `ask` when the snapshot is needed, `null` when it is old. */
  diff({ version, count, joined, left, countOnly }: PresenceDiff): PresenceChange | "ask" | null {
    if (version <= this.#version) return null;
    if (version > this.#version + 1 || (this.#held.countOnly && !countOnly)) return "ask";
    const members = countOnly ? new Map<string, Member>() : new Map(this.#held.members);
    for (const member of joined) members.set(member.user, member);
    for (const user of left) members.delete(user);
    this.#version = version;
    this.#held = { members, count, countOnly };
    return { ...this.#held, joined, left };
  }
}

const isSame = (a: Member | undefined, b: Member): boolean =>
  !!a && a.name === b.name && a.state.length === b.state.length && a.state.every((byte, i) => byte === b.state[i]);
