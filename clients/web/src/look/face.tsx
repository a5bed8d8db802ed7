// A face: a letter on a colour that belongs to the user, with a mark when they are online.
//
// Invariant: its size is known before anything is loaded.

import type { ComponentChildren } from "preact";

const COLOURS = 8;

/** A colour out of a few, always the same for an id. */
export function colourOf(id: string): number {
  let sum = 7;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % COLOURS;
}

const letters = new Intl.Segmenter();

/** What a name begins with: a letter, or a whole emoji. */
export function letterOf(name: string): string {
  const [first] = letters.segment(name.trim());
  return first?.segment.toLocaleUpperCase() ?? "?";
}

interface FaceProps {
  readonly id: string;
  readonly name: string;
  readonly isOnline?: boolean;
  /** Drawn in place of a letter: what a room is. */
  readonly mark?: ComponentChildren;
}

export function Face({ id, name, isOnline = false, mark }: FaceProps) {
  return (
    <span class="face" data-colour={colourOf(id)} data-online={isOnline || undefined} aria-hidden="true">
      {mark || letterOf(name)}
    </span>
  );
}
