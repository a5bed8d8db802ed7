// Mentions in a text: `@` and the name, as PROTOCOL.md says.
//
// Pure. Invariant: only who is named in the message's `mentions` is shown as mentioned, whatever the text looks like.

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** A text as what mentions somebody and what does not; put together they are the text. */
export function mentionsIn(text: string, people: readonly Named[]): readonly { readonly text: string; readonly id?: string }[] {
  const pieces: { text: string; id?: string }[] = [];
  // The longer of two names that begin alike is the one that is meant.
  const known = people.filter(({ name }) => name).sort((a, b) => b.name.length - a.name.length);
  let from = 0;
  for (let at = text.indexOf("@"); at >= 0 && known.length; at = text.indexOf("@", at + 1)) {
    if (at < from) continue;
    const person = known.find(({ name }) => text.startsWith(name, at + 1) && !/[\p{L}\p{N}]/u.test(text.charAt(at + 1 + name.length)));
    if (!person) continue;
    if (at > from) pieces.push({ text: text.slice(from, at) });
    from = at + 1 + person.name.length;
    pieces.push({ text: text.slice(at, from), id: person.id });
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** Who is mentioned in a text, each once. */
export const mentioned = (text: string, people: readonly Named[]): readonly string[] => [
  ...new Set(mentionsIn(text, people).flatMap(({ id }) => id ?? [])),
];

/** What is being typed after an `@` that stands by itself, up to where one writes; `null` when nobody is being named. */
export function typedName(text: string, caret: number): string | null {
  const found = /(?:^|[\s([{"'«„“])@([^\s@]{0,32}(?: [^\s@]{1,32})?)$/u.exec(text.slice(0, caret));
  return found ? (found[1] ?? "") : null;
}
