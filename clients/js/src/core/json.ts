// JSON for the schema: what server-sent events and long polls carry, and what people read.
//
// Owns how bytes look in text: as the text itself where it is UTF-8, in base64 otherwise.
// Invariant: as in the other codecs, unknown fields are ignored and wrong ones refused.
import { bad, type Codec, fromFrame, maxOf, toFrame, whole } from "./codec.js";
import { blank, CLIENT, type Field, isDefault, SERVER, type Shape } from "./schema.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

type Plain = Record<string, unknown>;

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 with padding, RFC 4648. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const left = bytes.length - i;
    for (let digit = 0; digit < 4; digit++) text += digit > left ? "=" : DIGITS[(word >> (18 - 6 * digit)) & 63];
  }
  return text;
}

function fromBase64(text: string): Uint8Array {
  const body = text.replace(/={1,2}$/, "");
  if (text.length % 4 || /[^A-Za-z0-9+/]/.test(body)) bad("base64");
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let word = 0;
  for (let i = 0, at = 0, bits = 0; i < body.length; i++) {
    word = ((word << 6) | DIGITS.indexOf(body[i] as string)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (word >> bits) & 0xff;
  }
  return bytes;
}

function bytesToJson(bytes: Uint8Array): unknown {
  try {
    const text = decodeUtf8(bytes);
    // Control characters take six bytes each when they are escaped: a long row of them would be over the limits.
    if (bytes.length < 1_000 || JSON.stringify(text).length < bytes.length * 1.4) return text;
  } catch {
    // Not text.
  }
  return { base64: toBase64(bytes) };
}

function bytesFromJson(value: unknown): Uint8Array {
  if (typeof value === "string") return encodeUtf8(value);
  const { base64, ...others } = asMap(value);
  return typeof base64 === "string" && !Object.keys(others).length ? fromBase64(base64) : bad("bytes");
}

function asMap(value: unknown): Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Plain) : bad("map");
}

function write(shape: Shape, value: Plain): Plain {
  const plain: Plain = {};
  for (const field of shape.fields) {
    const held = value[field.key];
    if (isDefault(field, held)) continue;
    plain[field.name] = field.many ? (held as unknown[]).map((item) => writeOne(field, item)) : writeOne(field, held);
  }
  return plain;
}

function writeOne(field: Field, value: unknown): unknown {
  if (field.type === "m") return write(field.of, value as Plain);
  return field.type === "y" ? bytesToJson(value as Uint8Array) : value;
}

function read(shape: Shape, plain: Plain, value: Plain): Plain {
  for (const name of Object.keys(plain)) {
    const field = shape.byName.get(name);
    const held = plain[name];
    if (!field || (held === null && field.type === "m" && !field.many)) continue;
    if (!field.many) value[field.key] = readOne(field, held);
    else value[field.key] = Array.isArray(held) ? held.map((item) => readOne(field, item)) : bad("list");
  }
  return value;
}

function readOne(field: Field, held: unknown): unknown {
  switch (field.type) {
    case "m":
      return read(field.of, asMap(held), blank(field.of));
    case "s":
      return typeof held === "string" ? held : bad("text");
    case "b":
      return typeof held === "boolean" ? held : bad("bool");
    case "y":
      return bytesFromJson(held);
    case "e":
      return field.values.includes(held as string) ? held : bad("enum");
    default:
      return whole(held, maxOf(field.type));
  }
}

/** Where each object of a text ends: frames need nothing between them. */
function* objects(text: string): Generator<string> {
  let depth = 0;
  let from = 0;
  const token = /"(?:[^"\\]|\\[\s\S])*"|[{}]|[^\s{}"]/g;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    if (found[0] === "{") depth++;
    else if (found[0] === "}") depth--;
    else if (!depth) bad("not an object");
    if (depth < 0) bad("not an object");
    if (depth) continue;
    yield text.slice(from, token.lastIndex);
    from = token.lastIndex;
  }
  if (text.slice(from).trim()) bad("cut short");
}

function parse(text: string): Plain {
  try {
    return asMap(JSON.parse(text));
  } catch {
    return bad("JSON");
  }
}

/** JSON, one object to a line. */
export const json: Codec = {
  subprotocol: "konvert.v1.json",
  binary: false,
  encode: (frame, side = "client") => `${JSON.stringify(write(side === "client" ? CLIENT : SERVER, fromFrame(frame)))}\n`,
  decode(data, side = "server") {
    const shape = side === "client" ? CLIENT : SERVER;
    const text = typeof data === "string" ? data : decodeUtf8(data);
    return [...objects(text)].map((object) => toFrame(read(shape, parse(object), { id: 0 })));
  },
};
