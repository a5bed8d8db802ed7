// What one can do with a dialog, as a menu: in the list and at the head of a conversation the same.
import { signal } from "@preact/signals";
import { titleOf } from "../list/title";
import type { Chat } from "../model/chat";
import { isMuted } from "../model/dialogs";
import { FOREVER_MS } from "../model/groups";
import type { Dialog, DialogKeeping } from "../model/resources";
import { go, route } from "../router";
import type { MenuItem } from "../shell/menu";
import { sayError, words } from "../words";

const EIGHT_HOURS_MS = 8 * 3_600_000;

/** The dialog whose members and settings are open, or none. */
export const opened = signal<string | null>(null);
/** A refusal of something that was done in passing, to be shown for a while. */
export const remark = signal<string>("");

export function dialogItems(chat: Chat, dialog: Dialog): readonly MenuItem[] {
  const { groups, contacts } = words();
  const { id, kind, user, pinned, archived } = dialog;
  const keep = (keeping: DialogKeeping) => tried(() => chat.groups.keep(id, keeping));
  const away = () =>
    tried(async () => {
      await chat.groups.leave(id);
      leave(id);
    });
  const mute: MenuItem[] = isMuted(dialog, Date.now())
    ? [{ label: groups.unmute, icon: "bell", do: () => keep({ muted_until_ms: 0 }) }]
    : [
        { label: groups.muteHours, icon: "clock", do: () => keep({ muted_until_ms: Date.now() + EIGHT_HOURS_MS }) },
        { label: groups.mute, icon: "mute", do: () => keep({ muted_until_ms: FOREVER_MS }) },
      ];
  const own: MenuItem[] =
    kind === "direct"
      ? [
          ...(user
            ? [
                chat.contacts.stateOf(user.id) === "blocked"
                  ? ({ label: contacts.unblock, icon: "block", do: () => tried(() => chat.contacts.act(user.id, "unblock")) } as const)
                  : ({
                      label: contacts.block,
                      icon: "block",
                      isGrave: true,
                      do: () => tried(() => chat.contacts.act(user.id, "block")),
                    } as const),
              ]
            : []),
          { label: groups.hide, icon: "bin", do: away },
        ]
      : [{ label: groups.info, icon: "people", do: () => (opened.value = id) }];
  return [
    { label: pinned ? groups.unpin : groups.pin, icon: "pin", do: () => keep({ pinned: !pinned }) },
    ...mute,
    { label: archived ? groups.unarchive : groups.archive, icon: "archive", do: () => keep({ archived: !archived }) },
    ...own,
  ];
}

/** What the menu of a dialog is called. */
export const menuLabel = (dialog: Dialog) => words().groups.menu(titleOf(dialog));

/** Goes back to the list from what one has left. */
export function leave(id: string): void {
  const at = route.peek();
  if (at.at === "conversation" && at.name === id) go("/", { replace: true });
}

const REMARK_MS = 6_000;

/** Does something in passing; a refusal is shown for a while. */
async function tried(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const said = sayError(error);
    remark.value = said;
    setTimeout(() => {
      if (remark.peek() === said) remark.value = "";
    }, REMARK_MS);
  }
}
