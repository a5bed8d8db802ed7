// Choosing people: friends and those one has written with at first, then whoever is found.
//
// Invariant: whoever is chosen stays in sight, whatever is searched for.
import { type Signal, useSignal } from "@preact/signals";
import { sayFinding, usePeople } from "../list/search";
import { Face } from "../look/face";
import type { Person } from "../model/resources";
import { useChat } from "../shell/here";
import { words } from "../words";

interface PickerProps {
  readonly chosen: Signal<readonly Person[]>;
  /** They are in it already. */
  readonly without?: (id: string) => boolean;
}

export function Picker({ chosen, without = () => false }: PickerProps) {
  const chat = useChat();
  const { groups } = words();
  const query = useSignal("");
  const finding = usePeople(query.value);
  const known = new Map<string, Person>();
  for (const { user } of chat.contacts.of("friend")) known.set(user.id, user);
  for (const { user } of chat.dialogs.list.value) if (user) known.set(user.id, user);
  const isFinding = finding.state !== "short";
  const others = (isFinding ? finding.people : [...known.values()]).filter(({ id }) => !chosen.value.some((one) => one.id === id));
  const turn = (person: Person) => {
    const isIn = chosen.value.some(({ id }) => id === person.id);
    chosen.value = isIn ? chosen.value.filter(({ id }) => id !== person.id) : [...chosen.value, person];
  };
  return (
    <div class="picker">
      <input
        class="text-field"
        type="search"
        placeholder={groups.findMore}
        aria-label={groups.findMore}
        value={query.value}
        onInput={(event) => (query.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          // Enter finds; it does not make the group.
          if (event.key === "Enter") event.preventDefault();
          if (event.key !== "Escape" || !query.value) return;
          event.preventDefault();
          query.value = "";
        }}
      />
      <div class="people-list" aria-busy={finding.state === "looking"}>
        {[...chosen.value, ...others.filter(({ id }) => !without(id))].map((person) => (
          <label key={person.id} class="person">
            <Face id={person.id} name={person.name} isOnline={person.online} />
            <span class="told">
              <b dir="auto">{person.name}</b>
              {person.about && (
                <span class="quiet" dir="auto">
                  {person.about}
                </span>
              )}
            </span>
            <input type="checkbox" checked={chosen.value.some(({ id }) => id === person.id)} onChange={() => turn(person)} />
          </label>
        ))}
        {query.value.trim() && (
          <p class="quiet nobody" role="status">
            {sayFinding(finding)}
          </p>
        )}
      </div>
    </div>
  );
}
