// Making a group: what it is called, and who is in it.
import { useSignal } from "@preact/signals";
import type { Person } from "../model/resources";
import { go, pathOf } from "../router";
import { Field, Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { Sheet } from "../shell/sheet";
import { words } from "../words";
import "./groups.css";
import { Picker } from "./picker";

/** Titles may have so many bytes; a letter has at most four. */
export const TITLE_MAX = 64;

export function CreateGroup({ close }: { close(): void }) {
  const chat = useChat();
  const { groups } = words();
  const title = useSignal("");
  const chosen = useSignal<readonly Person[]>([]);
  const { act, isBusy, problem } = useAct();
  const submit = (event: Event) => {
    event.preventDefault();
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
      <form class="form" data-form="group" onSubmit={submit}>
        <Field label={groups.title}>
          {(field) => (
            <input
              {...field}
              class="text-field"
              name="title"
              required
              maxLength={TITLE_MAX}
              autocomplete="off"
              dir="auto"
              value={title.value}
              onInput={(event) => (title.value = event.currentTarget.value)}
            />
          )}
        </Field>
        <h3>
          {groups.members}
          {chosen.value.length > 0 && <span class="quiet count">{groups.chosen(chosen.value.length)}</span>}
        </h3>
        <Picker chosen={chosen} />
        <Problem of={problem.value} />
        <p class="acts sticky">
          <button type="submit" class="primary" disabled={!title.value.trim()} aria-busy={isBusy.value}>
            {groups.createAct}
          </button>
        </p>
      </form>
    </Sheet>
  );
}
