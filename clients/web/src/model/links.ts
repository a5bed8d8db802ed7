// Addresses in a text.
//
// Pure. Invariant: the pieces put together are the text; `href` is http, https or mailto, and nothing else.

export interface Piece {
  readonly text: string;
  readonly href?: string;
}

const ADDRESS = /\b(?:https?:\/\/|www\.)[^\s<>"'`\u200e\u200f\u202a-\u202e\u2066-\u2069]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b/gi;

/** Longer texts are not looked through: nobody writes them by hand. */
const TEXT_MAX = 20_000;

/** A text as what leads somewhere and what does not. */
export function piecesOf(text: string): readonly Piece[] {
  if (text.length > TEXT_MAX) return [{ text }];
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = hrefOf(address);
    if (!href) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** What follows a sentence belongs to the sentence: a stop, or a bracket that was opened before. */
function trimmed(address: string): string {
  let text = address.replace(/[.,:;!?…»”’*_~]+$/, "");
  for (const [open, close] of ["()", "[]", "{}"].map((pair) => [...pair] as [string, string])) {
    while (text.endsWith(close) && text.split(close).length > text.split(open).length) text = text.slice(0, -1);
  }
  return text;
}

function hrefOf(address: string): string | null {
  const isAddress = /^(https?:\/\/|www\.)/i.test(address);
  try {
    const { protocol, href } = new URL(isAddress ? address.replace(/^www\./i, "https://$&") : `mailto:${address}`);
    return protocol === "http:" || protocol === "https:" || protocol === "mailto:" ? href : null;
  } catch {
    return null;
  }
}
