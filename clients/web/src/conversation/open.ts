// Which message of a conversation has its menu open, and which texts are unfolded: what the parts of a log share.
//
// Invariant: it lives with the conversation that is shown, not with a row, so that a row may leave the page and come back.
import { signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Conversation } from "../model/conversation";
import type { Shown } from "../model/shown";

/** A menu that is open: for which message, and at which point of the window. */
export interface OpenMenu {
  readonly shown: Shown;
  readonly x: number;
  readonly y: number;
}

export class OpenLog {
  readonly conversation: Conversation;
  /** May write here, react included. */
  readonly mayWrite: boolean;
  /** May delete what others wrote. */
  readonly mayModerate: boolean;
  readonly menu = signal<OpenMenu | null>(null);
  /** Keys of messages whose text is shown as a whole. */
  readonly unfolded = signal<ReadonlySet<string>>(new Set());
  /** A word of what has just happened. */
  readonly note = signal("");

  constructor(conversation: Conversation, mayWrite: boolean, mayModerate: boolean) {
    this.conversation = conversation;
    this.mayWrite = mayWrite;
    this.mayModerate = mayModerate;
  }

  fold({ key }: Shown): void {
    const unfolded = new Set(this.unfolded.peek());
    if (!unfolded.delete(key)) unfolded.add(key);
    this.unfolded.value = unfolded;
  }
}

const Open = createContext<OpenLog | null>(null);

export const OpenProvider = Open.Provider;

/** The log that a part is in. */
export function useLog(): OpenLog {
  const open = useContext(Open);
  if (!open) throw new Error("this is a part of a log");
  return open;
}
