// Messages and what later ones say of them, folded into what people see. Pure.
//
// Owns replies, edits, deletes, reactions, appended parts. Invariants: the result depends on which messages came, not
// on the order they came in; an item that did not change is the same object as before.
import type { Message } from "./message.js";
import { toText } from "./message.js";

/** A reaction, and who gave it. */
export interface Reaction {
  /** Which: the payload as text. */
  readonly text: string;
  /** Users who gave it, earliest first. */
  readonly users: readonly string[];
  /** Offsets of the reactions, in the order of `users`: deleting one takes it back. */
  readonly offsets: readonly number[];
}

/** A message as people see it now. */
export interface FoldedMessage {
  /** The message itself, as it was sent. */
  readonly message: Message;
  /** What it says now: with edits and appended parts. */
  readonly payload: Uint8Array;
  /** The same as text; empty when it is not UTF-8. */
  readonly text: string;
  /** Whether it was edited. */
  readonly edited: boolean;
  /** Whether it was deleted: then it says nothing. */
  readonly deleted: boolean;
  /** Reactions, earliest first. */
  readonly reactions: readonly Reaction[];
  /** Offset of the message that it answers; zero when it answers none. */
  readonly replyTo: number;
}

const NOTHING = new Uint8Array(0);

export class Fold {
  readonly #bases = new Map<number, Message>();
  /** Edits, reactions, parts and deletes, by the offset of their target; the target may not be here yet. */
  readonly #remarks = new Map<number, Map<number, Message>>();
  /** The target of each of them, for a delete that takes one back. */
  readonly #targets = new Map<number, number>();
  readonly #folded = new Map<number, FoldedMessage>();
  #items: readonly FoldedMessage[] | null = [];

  /** Everything, in order. The same array as before when nothing changed. */
  get items(): readonly FoldedMessage[] {
    this.#items ??= [...this.#bases.keys()].sort((a, b) => a - b).map((offset) => this.#item(offset));
    return this.#items;
  }

  /** The message at an offset. */
  get(offset: number): FoldedMessage | undefined {
    return this.#bases.has(offset) ? this.#item(offset) : undefined;
  }

  /** Takes messages in, in any order. */
  add(messages: readonly Message[]): void {
    for (const message of messages) {
      const { relation, offset } = message;
      if (!relation || relation.kind === "reply" || relation.kind === "none") this.#bases.set(offset, message);
      else {
        let remarks = this.#remarks.get(relation.offset);
        if (!remarks) this.#remarks.set(relation.offset, (remarks = new Map()));
        remarks.set(offset, message);
        this.#targets.set(offset, relation.offset);
        this.#touch(relation.offset);
      }
      this.#touch(offset);
    }
  }

  /** Lets go of everything before an offset. */
  dropBefore(offset: number): void {
    const cut = (held: Map<number, unknown>) => {
      for (const key of held.keys()) if (key < offset) held.delete(key);
    };
    for (const held of [this.#bases, this.#folded, this.#targets]) cut(held);
    // What is said later of an earlier message is known when that comes back.
    for (const [target, remarks] of this.#remarks) {
      cut(remarks);
      if (!remarks.size) this.#remarks.delete(target);
    }
    this.#items = null;
  }

  /** Something is said of a message, or of a remark on a message. */
  #touch(offset: number): void {
    this.#items = null;
    this.#folded.delete(offset);
    const target = this.#targets.get(offset);
    if (target !== undefined && target < offset) this.#touch(target);
  }

  #item(offset: number): FoldedMessage {
    let item = this.#folded.get(offset);
    if (!item) this.#folded.set(offset, (item = this.#make(this.#bases.get(offset) as Message)));
    return item;
  }

  #make(message: Message): FoldedMessage {
    const replyTo = message.relation?.kind === "reply" ? message.relation.offset : 0;
    if (this.#isGone(message)) {
      return { message, payload: NOTHING, text: "", edited: false, deleted: true, reactions: [], replyTo };
    }
    let parts = [message.payload];
    let edited = false;
    const reactions = new Map<string, { text: string; users: string[]; offsets: number[] }>();
    const remarks = [...(this.#remarks.get(message.offset)?.values() ?? [])].sort((a, b) => a.offset - b.offset);
    for (const remark of remarks) {
      if (this.#isGone(remark)) continue;
      const kind = remark.relation?.kind;
      if (kind === "append") parts.push(remark.payload);
      // An edit says all of it anew; what is appended later goes behind it.
      if (kind === "edit") parts = [remark.payload];
      if (kind === "edit") edited = true;
      if (kind === "reaction") react(reactions, remark);
    }
    const payload = parts.length === 1 ? (parts[0] as Uint8Array) : concat(parts);
    return { message, payload, text: toText(payload), edited, deleted: false, reactions: [...reactions.values()], replyTo };
  }

  #isGone(message: Message): boolean {
    if (message.erased) return true;
    const remarks = this.#remarks.get(message.offset);
    return !!remarks && [...remarks.values()].some(({ relation }) => relation?.kind === "delete");
  }
}

function react(reactions: Map<string, { text: string; users: string[]; offsets: number[] }>, { text, sender, offset }: Message): void {
  const known = reactions.get(text);
  if (!known) reactions.set(text, { text, users: [sender], offsets: [offset] });
  else if (!known.users.includes(sender)) {
    known.users.push(sender);
    known.offsets.push(offset);
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
