import { expect, it } from "vitest";
import { newsOf } from "../src/model/notices";
import type { Dialog, LastMessage } from "../src/model/resources";

const said = (sender: string): LastMessage => ({
  offset: 1,
  sender,
  sender_name: sender,
  time_ms: 0,
  erased: false,
  kind: "message",
  text: "Hi",
});
const dialog = (id: string, offset: number, more: Partial<Dialog> = {}): Dialog => ({
  ...{ id, kind: "direct", mode: "server_readable", title: "", about: "", created_ms: 0, role: "member", member_count: 2 },
  ...{ position: { epoch: 1, offset }, first_offset: 1, activity_ms: 0, read_offset: 0, unread: 0, mentions: 0 },
  ...{ muted_until_ms: 0, pinned: false, archived: false, last_message: said("boris") },
  ...more,
});
const news = (before: Dialog[], after: Dialog[], now = 100) =>
  newsOf(new Map(before.map((one) => [one.id, one])), after, "anna", now).map(({ dialog: { id }, isMention }) =>
    isMention ? `@${id}` : id,
  );

it("tells of direct messages and mentions, of groups only when one is meant", () => {
  const group = { kind: "group" } as const;
  const before = [dialog("d", 1), dialog("g", 1, group), dialog("h", 1, group)];
  const after = [
    dialog("d", 2, { unread: 1 }),
    dialog("g", 2, { ...group, unread: 1 }),
    dialog("h", 2, { ...group, unread: 1, mentions: 1 }),
  ];
  expect(news(before, after)).toEqual(["d", "@h"]);
  expect(news([], [dialog("new", 1, { unread: 1 })])).toEqual(["new"]);
});

it("tells nothing twice, nothing of one's own, nothing that was read elsewhere", () => {
  const now = dialog("d", 2, { unread: 1 });
  expect(news([now], [now])).toEqual([]);
  expect(news([now], [{ ...now, pinned: true }])).toEqual([]);
  expect(news([dialog("d", 1)], [dialog("d", 2, { unread: 1, last_message: said("anna") })])).toEqual([]);
  expect(news([dialog("d", 2, { unread: 2 })], [dialog("d", 3, { unread: 0 })])).toEqual([]);
});

it("leaves in peace whoever has muted a dialog, unless they are meant", () => {
  const muted = { muted_until_ms: 200 };
  expect(news([dialog("d", 1, muted)], [dialog("d", 2, { ...muted, unread: 1 })])).toEqual([]);
  expect(news([dialog("d", 1, muted)], [dialog("d", 2, { ...muted, unread: 1 })], 200)).toEqual(["d"]);
  expect(news([dialog("d", 1, muted)], [dialog("d", 2, { ...muted, unread: 1, mentions: 1 })])).toEqual(["@d"]);
});
