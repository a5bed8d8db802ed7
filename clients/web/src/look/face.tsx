// A face: the picture somebody has chosen; until it is here, or without one, a letter on a colour that belongs to them.
//
// Invariant: its size is known before anything is loaded.

import type { ComponentChildren } from "preact";
import { useContext } from "preact/hooks";
import { Here } from "../shell/here";

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
  /** A stored picture. For a person who is known it need not be given. */
  readonly avatar?: string | null | undefined;
  /** Drawn in place of a letter: what a room is. */
  readonly mark?: ComponentChildren;
}

export function Face({ id, name, avatar, isOnline = false, mark }: FaceProps) {
  const chat = useContext(Here);
  const known = avatar === undefined && !mark ? chat?.people.known(id).value?.avatar : avatar;
  const address = known && chat?.pictures.get(known).value;
  return (
    <span class="face" data-colour={colourOf(id)} data-online={isOnline || undefined} aria-hidden="true">
      {address ? <img src={address} alt="" draggable={false} /> : mark || letterOf(name)}
    </span>
  );
}
