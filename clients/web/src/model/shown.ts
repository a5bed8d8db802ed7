// A message as a conversation draws it: stored, on its way, or refused, in one shape.
//
// Pure. Invariants: a message that is being stored keeps its key, so that nothing on the screen is made anew; what has
// not changed is the same object as before.
import type { FoldedMessage, KonvertError, OutboxMessage, Reaction } from "@konvert/sdk";

/** How far a message of ours has come. */
export type Ticks = "pending" | "failed" | "stored" | "delivered" | "read";

export interface Shown {
  readonly key: string;
  readonly messageId: string;
  /** Zero until it is stored. */
  readonly offset: number;
  readonly sender: string;
  readonly senderName: string;
  readonly isOwn: boolean;
  readonly timeMs: number;
  readonly text: string;
  /** It carries something that is no text. */
  readonly isBinary: boolean;
  readonly isEdited: boolean;
  readonly isDeleted: boolean;
  readonly reactions: readonly Reaction[];
  /** Offset of the message that it answers, or zero. */
  readonly replyTo: number;
  readonly mentions: readonly string[];
  readonly blobs: readonly string[];
  readonly state: "pending" | "failed" | "stored";
  /** For retrying and dropping, while it is not stored. */
  readonly outboxKey: string;
  readonly error: KonvertError | null;
}

const stored = new WeakMap<FoldedMessage, Shown>();
const waiting = new WeakMap<OutboxMessage, Shown>();

/** A stored message. */
export function shownOf(item: FoldedMessage, me: string): Shown {
  const held = stored.get(item);
  if (held && held.isOwn === (item.message.sender === me)) return held;
  const { message, text, payload, edited, deleted, reactions, replyTo } = item;
  const { messageId, offset, sender, senderName, timeMs, mentions, blobs } = message;
  const shown: Shown = {
    key: keyOf(sender, messageId),
    ...{ messageId, offset, sender, senderName, timeMs, text, reactions, replyTo, mentions, blobs },
    isOwn: sender === me,
    isBinary: !text && payload.length > 0,
    isEdited: edited,
    isDeleted: deleted,
    state: "stored",
    outboxKey: "",
    error: null,
  };
  stored.set(item, shown);
  return shown;
}

/** A message that is not stored yet. */
export function shownPending(message: OutboxMessage, me: string): Shown {
  const held = waiting.get(message);
  if (held?.sender === me) return held;
  const { messageId, payload, createdMs, relation, mentions, blobs, key, state, error } = message;
  const text = new TextDecoder().decode(payload);
  const shown: Shown = {
    key: keyOf(me, messageId),
    ...{ messageId, text, mentions, blobs },
    offset: 0,
    sender: me,
    senderName: "",
    isOwn: true,
    timeMs: createdMs,
    isBinary: false,
    isEdited: false,
    isDeleted: false,
    reactions: [],
    replyTo: relation?.kind === "reply" ? relation.offset : 0,
    state: state === "rejected" ? "failed" : "pending",
    outboxKey: key,
    error: error ?? null,
  };
  waiting.set(message, shown);
  return shown;
}

/** How far it has come, given how far others have read and how far it has reached them. */
export function ticksOf({ state, offset }: Pick<Shown, "state" | "offset">, readUpTo: number, deliveredUpTo = 0): Ticks {
  if (state !== "stored") return state;
  if (offset <= readUpTo) return "read";
  return offset <= deliveredUpTo ? "delivered" : "stored";
}

const keyOf = (sender: string, messageId: string) => `${sender} ${messageId}`;
