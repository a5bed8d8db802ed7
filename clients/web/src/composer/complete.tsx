// People to mention, offered while one writes `@`: members of the dialog, or who is in the room.
//
// Invariant: the text stays the writer's: a name enters it only when it is chosen.
import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { Face } from "../look/face";
import type { Conversation } from "../model/conversation";
import { type Page, type Person, segment } from "../model/resources";
import { type Named, typedName } from "../model/shown_mentions";
import { useChat } from "../shell/here";
import { words } from "../words";

const OFFERED_MAX = 6;
/** Members that are asked for; of a bigger dialog those who are here or have spoken are offered as well. */
const MEMBERS_MAX = 300;

export interface Completion {
  readonly offered: ReadonlySignal<readonly Named[]>;
  readonly at: Signal<number>;
  /** Everybody who may be meant. */
  people(): readonly Named[];
  /** Something was typed. */
  look(): void;
  /** Whether a key was for it. */
  key(event: KeyboardEvent): boolean;
  choose(person: Named): void;
  attributes(): Record<string, unknown>;
}

export function useCompletion(
  conversation: Conversation,
  text: Signal<string>,
  area: { readonly current: HTMLTextAreaElement | null },
): Completion {
  const chat = useChat();
  const members = useSignal<readonly Named[]>([]);
  const typed = useSignal<string | null>(null);
  const at = useSignal(0);
  const isAsked = useRef("");
  const people = () => {
    const known = new Map<string, string>();
    for (const { sender, senderName } of conversation.messages.peek()) if (senderName) known.set(sender, senderName);
    for (const [id, { name }] of conversation.presence.peek().members) if (name) known.set(id, name);
    for (const { id, name } of members.value) known.set(id, name);
    known.delete(chat.me.id);
    return [...known].map(([id, name]) => ({ id, name }));
  };
  const offered = useComputed((): readonly Named[] => {
    if (typed.value === null) return [];
    const wanted = typed.value.toLocaleLowerCase();
    const rank = (name: string) => {
      const low = name.toLocaleLowerCase();
      return low.startsWith(wanted) ? 0 : low.split(/\s+/).some((word) => word.startsWith(wanted)) ? 1 : 2;
    };
    return people()
      .filter(({ name }) => rank(name) < 2)
      .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name))
      .slice(0, OFFERED_MAX);
  });
  const ask = async () => {
    if (isAsked.current === conversation.id || !chat.dialogs.get(conversation.id)) return;
    isAsked.current = conversation.id;
    try {
      const read: Named[] = [];
      let cursor: string | null | undefined;
      do {
        const path = `/api/dialogs/${segment(conversation.id)}/members`;
        const page: Page<{ readonly user: Person }> = await chat.konvert.api.get(path, {
          query: { limit: 100, cursor: cursor ?? undefined },
        });
        read.push(...page.items.map(({ user: { id, name } }) => ({ id, name })));
        cursor = page.next;
      } while (cursor && read.length < MEMBERS_MAX);
      members.value = read;
    } catch {
      // Those who are here are offered all the same; it is asked again.
      isAsked.current = "";
    }
  };
  return useMemo(
    () => ({
      offered,
      at,
      people,
      look: () => {
        typed.value = typedName(area.current?.value ?? "", area.current?.selectionStart ?? 0);
        at.value = 0;
        if (typed.value !== null) void ask();
      },
      key: (event) => {
        const list = offered.peek();
        if (!list.length) return false;
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        const person = list[at.peek()];
        if (step) at.value = (at.peek() + step + list.length) % list.length;
        else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && person) choose(person);
        else if (event.key === "Escape") typed.value = null;
        else return false;
        event.preventDefault();
        return true;
      },
      choose,
      attributes: () => ({
        role: "combobox",
        "aria-autocomplete": "list",
        "aria-expanded": offered.value.length > 0,
        "aria-controls": "people-offered",
        ...(offered.value.length ? { "aria-activedescendant": `person-offered-${at.value}` } : {}),
      }),
    }),
    [conversation],
  );

  function choose({ name }: Named): void {
    const field = area.current;
    const caret = field?.selectionStart ?? text.peek().length;
    const from = caret - (typed.peek() ?? "").length;
    typed.value = null;
    if (!field) return;
    field.setRangeText(`${name} `, from, caret, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
}

export function Complete({ completion }: { readonly completion: Completion }) {
  const { composer } = words();
  const offered = completion.offered.value;
  if (!offered.length) return <div id="people-offered" hidden />;
  return (
    <div id="people-offered" class="offered" role="listbox" aria-label={composer.people}>
      {offered.map((person, i) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field
        // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the text field
        <div
          key={person.id}
          id={`person-offered-${i}`}
          class="offered-person"
          role="option"
          aria-selected={i === completion.at.value}
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => completion.choose(person)}
        >
          <Face id={person.id} name={person.name} />
          <span dir="auto">{person.name}</span>
        </div>
      ))}
    </div>
  );
}
