// How much of a long text is shown before somebody asks for all of it.
//
// Pure. Invariant: nothing that belongs together is torn: the cut is between words where there are words, and never in
// the middle of a character.

/** What is shorter is shown as a whole. */
const LINES_MAX = 14;
const CHARACTERS_MAX = 1_200;
/** A word end is looked for this far back. */
const WORD_MAX = 200;
/** Folding away less than this is worth nothing. */
const SAVED_MIN = 100;

/** Where the part ends that is shown; the text's length when all of it is. */
export function foldAt(text: string): number {
  let end = 0;
  let lines = 0;
  while (lines < LINES_MAX && end >= 0) {
    end = text.indexOf("\n", end + (lines ? 1 : 0));
    if (end < 0) break;
    lines++;
  }
  const byLines = end < 0 ? text.length : end;
  if (byLines <= CHARACTERS_MAX) return end < 0 || text.length - byLines < 2 ? text.length : byLines;
  if (text.length - CHARACTERS_MAX < SAVED_MIN) return text.length;
  const space = text.lastIndexOf(" ", CHARACTERS_MAX);
  return space > CHARACTERS_MAX - WORD_MAX ? space : characterAt(text, CHARACTERS_MAX);
}

/** The beginning of the character, as people count them, that is at an index. */
function characterAt(text: string, index: number): number {
  const from = index - WORD_MAX;
  const around = text.slice(from, index + WORD_MAX);
  let at = from;
  for (const { index: begin } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(around)) {
    if (from + begin > index) break;
    at = from + begin;
  }
  return at;
}
