// UTF-8 by hand, because not every engine that runs this has `TextDecoder`. Strict: broken text is refused.
//
// Invariant: what is written reads back the same; a lone surrogate is written as U+FFFD.
import { bad } from "./codec.js";

/** The bytes of a text. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i);
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    if (point >= 0xd800 && point < 0xe000) {
      const low = text.charCodeAt(i + 1);
      const pair = point < 0xdc00 && low >= 0xdc00 && low < 0xe000;
      point = pair ? 0x1_0000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
      if (pair) i++;
    }
    const more = point < 0x800 ? 1 : point < 0x1_0000 ? 2 : 3;
    bytes[at++] = ((0xf00 >> (more + 1)) & 0xff) | (point >> (6 * more));
    for (let left = more - 1; left >= 0; left--) bytes[at++] = 0x80 | ((point >> (6 * left)) & 0x3f);
  }
  return bytes.slice(0, at);
}

/** The text of bytes. @throws {BadFrame} when they are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = "";
  let units: number[] = [];
  for (let i = from; i < to; ) {
    const lead = bytes[i++] as number;
    let point = lead;
    if (lead >= 0x80) {
      const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
      if (lead < 0xc2 || lead > 0xf4 || i + more > to) bad("UTF-8");
      point = lead & (0x3f >> more);
      for (const end = i + more; i < end; i++) {
        const next = bytes[i] as number;
        if ((next & 0xc0) !== 0x80) bad("UTF-8");
        point = (point << 6) | (next & 0x3f);
      }
      const least = more === 1 ? 0x80 : more === 2 ? 0x800 : 0x1_0000;
      if (point < least || point > 0x10_ffff || (point >= 0xd800 && point < 0xe000)) bad("UTF-8");
    }
    if (point < 0x1_0000) units.push(point);
    else units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
    // Engines bound the number of arguments of a call.
    if (units.length > 4_000) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}
