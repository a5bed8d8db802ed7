// A message as a conversation draws it: stored, on its way, or refused, in one shape.
//
// Pure. Invariants: a message that is being stored keeps its key, so that nothing on the screen is made anew; what has
// not changed is the same object as before.
import type { FoldedMessage, KonvertError, OutboxMessage, Reaction } from "@konvert/sdk";
import { type ShownFile, splitFiles } from "./shown_files";

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
  /** All of the text, with the lines that name files. */
  readonly text: string;
  /** The same without them. */
  readonly said: string;
  /** It carries something that is no text. */
  readonly isBinary: boolean;
  readonly isEdited: boolean;
  readonly isDeleted: boolean;
  /** An edit or a delete of ours is on its way. */
  readonly isChanging: boolean;
  readonly reactions: readonly Reaction[];
  /** Offset of the message that it answers, or zero. */
  readonly replyTo: number;
  readonly mentions: readonly string[];
  readonly blobs: readonly string[];
  readonly files: readonly ShownFile[];
  readonly state: "pending" | "failed" | "stored";
  /** For retrying and dropping, while it is not stored. */
  readonly outboxKey: string;
  readonly error: KonvertError | null;
}

const stored = new WeakMap<FoldedMessage, { readonly shown: Shown; readonly remarks: readonly OutboxMessage[] }>();
const waiting = new WeakMap<OutboxMessage, Shown>();
const NO_REMARKS: readonly OutboxMessage[] = [];

/** A stored message, as it is with our remarks that are on their way. */
export function shownOf(item: FoldedMessage, me: string, remarks = NO_REMARKS): Shown {
  const held = stored.get(item);
  if (held && held.shown.isOwn === (item.message.sender === me) && isSame(held.remarks, remarks)) return held.shown;
  const { message, text, payload, edited, deleted, reactions, replyTo } = item;
  const { messageId, offset, sender, senderName, timeMs, mentions } = message;
  const blobs = deleted ? [] : message.blobs;
  const shown: Shown = {
    key: keyOf(sender, messageId),
    ...{ messageId, offset, sender, senderName, timeMs, text, reactions, replyTo, mentions, blobs },
    ...splitFiles(text, blobs),
    isOwn: sender === me,
    isBinary: !text && payload.length > 0,
    isEdited: edited,
    isDeleted: deleted,
    isChanging: false,
    state: "stored",
    outboxKey: "",
    error: null,
  };
  const withRemarks = remarks.reduce((shown, remark) => remarked(shown, remark, me), shown);
  stored.set(item, { shown: withRemarks, remarks });
  return withRemarks;
}

/** A message that is not stored yet. */
export function shownPending(message: OutboxMessage, me: string): Shown {
  const held = waiting.get(message);
  if (held?.sender === me) return held;
  const { messageId, createdMs, relation, mentions, blobs, key, state, error } = message;
  const text = textOf(message);
  const shown: Shown = {
    key: keyOf(me, messageId),
    ...{ messageId, text, mentions, blobs },
    ...splitFiles(text, blobs),
    offset: 0,
    sender: me,
    senderName: "",
    isOwn: true,
    timeMs: createdMs,
    isBinary: false,
    isEdited: false,
    isDeleted: false,
    isChanging: false,
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

/** What it will be once a remark of ours is stored. */
function remarked(shown: Shown, remark: OutboxMessage, me: string): Shown {
  const text = textOf(remark);
  const { kind, offset } = remark.relation ?? {};
  if (kind === "edit") return { ...shown, text, ...splitFiles(text, shown.blobs), isEdited: true, isChanging: true };
  if (kind === "delete" && offset === shown.offset) return { ...shown, isChanging: true };
  if (kind === "delete") {
    const taken = shown.reactions.map((reaction) => without(reaction, reaction.offsets.indexOf(offset ?? 0)));
    return { ...shown, reactions: taken.filter(({ users }) => users.length) };
  }
  if (kind !== "reaction") return shown;
  const known = shown.reactions.find((reaction) => reaction.text === text);
  if (known?.users.includes(me)) return shown;
  const more = { text, users: [...(known?.users ?? []), me], offsets: [...(known?.offsets ?? []), 0] };
  return { ...shown, reactions: known ? shown.reactions.map((one) => (one === known ? more : one)) : [...shown.reactions, more] };
}

function without({ text, users, offsets }: Reaction, at: number): Reaction {
  return { text, users: users.filter((_, i) => i !== at), offsets: offsets.filter((_, i) => i !== at) };
}

const textOf = ({ payload }: OutboxMessage) => new TextDecoder().decode(payload);
const keyOf = (sender: string, messageId: string) => `${sender} ${messageId}`;
const isSame = (a: readonly unknown[], b: readonly unknown[]) => a === b || (a.length === b.length && a.every((one, i) => one === b[i]));
