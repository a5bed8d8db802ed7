// Changing what everybody sees of a group.
import { useSignal } from "@preact/signals";
import { Icon } from "../look/icons";
import { aboutFault, BYTES_MAX, lineFault } from "../model/fields";
import type { Dialog } from "../model/resources";
import { Field, Problem, useAct, useFaults } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";
import { AvatarField } from "./avatar";

export function EditGroup({ dialog, done }: { readonly dialog: Dialog; done(): void }) {
  const chat = useChat();
  const { groups, cancel } = words();
  const title = useSignal(dialog.title);
  const about = useSignal(dialog.about);
  const avatar = useSignal<string | null>(dialog.avatar ?? null);
  const isComing = useSignal(false);
  const { act, isBusy, problem } = useAct();
  const { faults, check, forget } = useFaults<"title" | "about">();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const found = { title: lineFault(title.value, BYTES_MAX.title), about: aboutFault(about.value.trim()) };
    if (!check(event.currentTarget as HTMLFormElement, found)) return;
    const isDone = await act(() =>
      chat.groups.change(dialog.id, { title: title.value.trim(), about: about.value.trim(), avatar: avatar.value ?? "" }),
    );
    if (isDone) done();
  };
  return (
    <form class="form" data-form="group" noValidate onSubmit={submit}>
      <AvatarField id={dialog.id} name={dialog.title} avatar={avatar} isComing={isComing} mark={<Icon name="people" size={32} />} />
      <Field label={groups.title} fault={faults.title ?? null}>
        {(field) => (
          <input
            {...field}
            class="text-field"
            name="title"
            required
            maxLength={256}
            dir="auto"
            value={title.value}
            onInput={(event) => {
              title.value = event.currentTarget.value;
              forget("title");
            }}
          />
        )}
      </Field>
      <Field label={groups.about} fault={faults.about ?? null}>
        {(field) => (
          <textarea
            {...field}
            class="text-field"
            name="about"
            rows={3}
            dir="auto"
            value={about.value}
            onInput={(event) => {
              about.value = event.currentTarget.value;
              forget("about");
            }}
          />
        )}
      </Field>
      <Problem of={problem.value} />
      <p class="acts">
        <button type="submit" class="primary" disabled={isComing.value || !title.value.trim()} aria-busy={isComing.value || isBusy.value}>
          {groups.save}
        </button>
        <button type="button" class="plain" onClick={done}>
          {cancel}
        </button>
      </p>
    </form>
  );
}
