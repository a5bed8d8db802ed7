// Making a group: what it is called, and who is in it.
import { useSignal } from "@preact/signals";
import { BYTES_MAX, lineFault } from "../model/fields";
import type { Person } from "../model/resources";
import { go, pathOf } from "../router";
import { Field, Problem, useAct, useFaults } from "../shell/act";
import { useChat } from "../shell/here";
import { Sheet } from "../shell/sheet";
import { words } from "../words";
import "./groups.css";
import { Picker } from "./picker";

export function CreateGroup({ close }: { close(): void }) {
  const chat = useChat();
  const { groups, refusals } = words();
  const title = useSignal("");
  const chosen = useSignal<readonly Person[]>([]);
  const { act, isBusy, problem } = useAct();
  const { faults, check, forget } = useFaults<"title">();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!check(event.currentTarget as HTMLFormElement, { title: lineFault(title.value, BYTES_MAX.title) })) return;
    void act(async () => {
      const { id } = await chat.groups.create(
        title.value.trim(),
        "",
        chosen.value.map((person) => person.id),
      );
      close();
      go(pathOf(id, true));
    });
  };
  return (
    <Sheet title={groups.create} close={close}>
      <form class="form" data-form="group" noValidate onSubmit={submit}>
        <Field label={groups.title} fault={faults.title ?? null}>
          {(field) => (
            <input
              {...field}
              class="text-field"
              name="title"
              required
              maxLength={256}
              autocomplete="off"
              dir="auto"
              value={title.value}
              onInput={(event) => {
                title.value = event.currentTarget.value;
                forget("title");
              }}
            />
          )}
        </Field>
        <h3>
          {groups.members}
          {chosen.value.length > 0 && <span class="quiet count">{groups.chosen(chosen.value.length)}</span>}
        </h3>
        <Picker chosen={chosen} />
        <Problem of={problem.value} cases={{ not_possible: refusals.tooManyDialogs }} />
        <p class="acts sticky">
          <button type="submit" class="primary" disabled={!title.value.trim()} aria-busy={isBusy.value}>
            {groups.createAct}
          </button>
        </p>
      </form>
    </Sheet>
  );
}
