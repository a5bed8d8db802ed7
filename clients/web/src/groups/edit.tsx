// Changing what everybody sees of a group.
import { useSignal } from "@preact/signals";
import { Icon } from "../look/icons";
import type { Dialog } from "../model/resources";
import { Field, Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";
import { AvatarField } from "./avatar";
import { TITLE_MAX } from "./create";

export function EditGroup({ dialog, done }: { readonly dialog: Dialog; done(): void }) {
  const chat = useChat();
  const { groups, cancel } = words();
  const title = useSignal(dialog.title);
  const about = useSignal(dialog.about);
  const avatar = useSignal<string | null>(dialog.avatar ?? null);
  const isComing = useSignal(false);
  const { act, isBusy, problem } = useAct();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await act(() =>
      chat.groups.change(dialog.id, { title: title.value.trim(), about: about.value.trim(), avatar: avatar.value ?? "" }),
    );
    if (isDone) done();
  };
  return (
    <form class="form" data-form="group" onSubmit={submit}>
      <AvatarField id={dialog.id} name={dialog.title} avatar={avatar} isComing={isComing} mark={<Icon name="people" size={32} />} />
      <Field label={groups.title}>
        {(field) => (
          <input
            {...field}
            class="text-field"
            name="title"
            required
            maxLength={TITLE_MAX}
            dir="auto"
            value={title.value}
            onInput={(event) => (title.value = event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label={groups.about}>
        {(field) => (
          <textarea
            {...field}
            class="text-field"
            name="about"
            rows={3}
            maxLength={500}
            dir="auto"
            value={about.value}
            onInput={(event) => (about.value = event.currentTarget.value)}
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
