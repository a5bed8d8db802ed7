// What is worth telling somebody who looks elsewhere: direct messages and mentions, but for what is muted.
//
// Pure. Invariant: nothing is told twice, nothing one has said oneself, and nothing that was there before one came.
import { isMuted } from "./dialogs";
import type { Dialog } from "./resources";

export interface Notice {
  readonly dialog: Dialog;
  readonly isMention: boolean;
}

/** What is news between two states of the list. */
export function newsOf(before: ReadonlyMap<string, Dialog>, after: readonly Dialog[], me: string, nowMs: number): readonly Notice[] {
  const news: Notice[] = [];
  for (const dialog of after) {
    const known = before.get(dialog.id);
    const was = known ?? { unread: 0, mentions: 0, position: { epoch: 0, offset: 0 } };
    if (known === dialog || dialog.position.offset <= was.position.offset || dialog.last_message?.sender === me) continue;
    const isMention = dialog.mentions > was.mentions;
    const isDirect = dialog.kind === "direct" && dialog.unread > was.unread && !isMuted(dialog, nowMs);
    if (isMention || isDirect) news.push({ dialog, isMention });
  }
  return news;
}
