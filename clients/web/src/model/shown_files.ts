// How a message's text names its files, as PROTOCOL.md says: its last lines, one for each of `blobs`.
//
// Pure. Invariants: a text that does not name all of them names none and is shown as it is; what is joined is split into
// the same again.

/** A file as the message that carries it tells of it. */
export interface ShownFile {
  /** SHA-256 of the stored file. */
  readonly blob: string;
  /** Empty where nobody told. */
  readonly name: string;
  /** Of a picture, pixels; zero where nobody told. */
  readonly width: number;
  readonly height: number;
}

const MARK = "📎 ";
const LINE = /^📎 (.*?)(?: \((\d{1,5})×(\d{1,5})\))?$/u;
const NAME_MAX = 200;

/** What was said, and the files, of a text that goes with these blobs. */
export function splitFiles(text: string, blobs: readonly string[]): { readonly said: string; readonly files: readonly ShownFile[] } {
  if (!blobs.length) return { said: text, files: NONE };
  const unnamed = () => ({ said: text, files: blobs.map((blob) => ({ blob, name: "", width: 0, height: 0 })) });
  // As many lines from the end as there are files.
  let from = text.length;
  for (let i = 0; i < blobs.length; i++) {
    if (from < 0 || (i && from === 0)) return unnamed();
    from = text.lastIndexOf("\n", from - 1);
  }
  const lines = text.slice(from + 1).split("\n");
  const files: ShownFile[] = [];
  for (const [i, line] of lines.entries()) {
    const found = LINE.exec(line);
    if (!found || lines.length !== blobs.length) return unnamed();
    files.push({ blob: blobs[i] ?? "", name: nameOf(found[1] ?? ""), width: Number(found[2] ?? 0), height: Number(found[3] ?? 0) });
  }
  return { said: text.slice(0, Math.max(0, from)), files };
}

/** A text that says something and names its files. */
export function joinFiles(said: string, files: readonly Pick<ShownFile, "name" | "width" | "height">[]): string {
  const lines = files.map(({ name, width, height }) => `${MARK}${nameOf(name) || "?"}${width && height ? ` (${width}×${height})` : ""}`);
  return [...(said ? [said] : []), ...lines].join("\n");
}

const NONE: readonly ShownFile[] = [];

/** A name that is one line, turns nothing around and is not endless. */
export function nameOf(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a name
  const plain = name.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "").trim();
  if (plain.length <= NAME_MAX) return plain;
  const end = plain.slice(-16);
  return `${plain.slice(0, NAME_MAX - end.length - 1)}…${end}`;
}
