// A message as the model shows it, for tests of what is made of messages.
import type { Shown } from "../../src/model/shown";

export const NOON = new Date("2026-11-21T12:00:00").getTime();
const MINUTE = 60_000;

export function message(offset: number, sender: string, minute: number, more: Partial<Shown> = {}): Shown {
  return {
    ...{ key: `${sender} ${offset}`, messageId: String(offset), offset, sender, senderName: sender, isOwn: sender === "me" },
    ...{
      timeMs: NOON + minute * MINUTE,
      text: "text",
      said: "text",
      isBinary: false,
      isEdited: false,
      isDeleted: false,
      reactions: [],
      replyTo: 0,
    },
    ...{ mentions: [], blobs: [], files: [], isChanging: false, state: "stored", outboxKey: "", error: null },
    ...more,
  };
}
