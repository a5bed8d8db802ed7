// What a dialog is called.
import type { Dialog } from "../model/resources";
import { words } from "../words";

/** A group by its title, a direct dialog as the other user. */
export const titleOf = (dialog: Dialog) => dialog.title || dialog.user?.name || words().conversation.unknown;
