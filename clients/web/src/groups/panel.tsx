// A group as its members see it: what it is called, who is in it, the links into it, the way out.
//
// Loaded when somebody looks. Invariant: nothing is offered that the server would refuse to this role.
import { useSignal } from "@preact/signals";
import { titleOf } from "../list/title";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { isAdmin } from "../model/groups";
import type { Dialog } from "../model/resources";
import { Sure } from "../shell/act";
import { useChat } from "../shell/here";
import { Sheet } from "../shell/sheet";
import { words } from "../words";
import { EditGroup } from "./edit";
import "./groups.css";
import { Invites } from "./invites";
import { MemberList } from "./members";
import { leave } from "./menu";

export function Panel({ id, close }: { readonly id: string; close(): void }) {
  const chat = useChat();
  const dialog = chat.dialogs.get(id);
  // One may be put out while one looks.
  if (!dialog) return null;
  return <Open dialog={dialog} close={close} />;
}

function Open({ dialog, close }: { readonly dialog: Dialog; close(): void }) {
  const chat = useChat();
  const { groups, conversation, refusals } = words();
  const isEdited = useSignal(false);
  const { id, role, about, avatar, member_count } = dialog;
  const title = titleOf(dialog);
  const out = (work: (id: string) => Promise<void>) => async () => {
    await work.call(chat.groups, id);
    close();
    leave(id);
  };
  return (
    <Sheet title={groups.info} close={close}>
      {isEdited.value ? (
        <EditGroup dialog={dialog} done={() => (isEdited.value = false)} />
      ) : (
        <section class="about-group">
          <Face id={id} name={title} avatar={avatar ?? null} mark={<Icon name="people" size={32} />} />
          <div class="told">
            <h3 dir="auto">{title}</h3>
            <p class="quiet">{conversation.members(member_count)}</p>
          </div>
          {isAdmin(role) && (
            <button type="button" class="plain" onClick={() => (isEdited.value = true)}>
              <Icon name="pen" size={18} />
              {groups.edit}
            </button>
          )}
          {about && (
            <p class="about" dir="auto">
              {about}
            </p>
          )}
        </section>
      )}
      <MemberList dialog={dialog} />
      {isAdmin(role) && <Invites dialog={dialog} />}
      <section class="way-out">
        <Sure label={groups.leave} question={groups.leaveSure} cases={{ not_possible: refusals.lastOwner }} do={out(chat.groups.leave)}>
          <Icon name="door" size={18} />
        </Sure>
        {role === "owner" && (
          <Sure label={groups.end} question={groups.endSure} do={out(chat.groups.end)}>
            <Icon name="bin" size={18} />
          </Sure>
        )}
      </section>
    </Sheet>
  );
}
