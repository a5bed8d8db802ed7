// Protobuf for the schema: `new Konvert(url, { codec: protobuf })`. A sub-path, so that only those who want it load it.
//
// Owns the bytes; walks the same table as the other codecs. Invariants as there: unknown fields are skipped, broken
// bytes refused, an unknown value of an enum is its default (as proto3 has it).
import { bad, type Codec, fromFrame, maxOf, toFrame, whole } from "./core/codec.js";
import { blank, CLIENT, type Field, isDefault, SERVER, type Shape } from "./core/schema.js";
import { decodeUtf8, encodeUtf8 } from "./core/utf8.js";

const VARINT = 0;
const LENGTH = 2;

function varint(into: number[], value: number): void {
  for (; value >= 0x80; value = Math.floor(value / 0x80)) into.push((value % 0x80) | 0x80);
  into.push(value);
}

function write(shape: Shape, value: Record<string, unknown>): number[] {
  const bytes: number[] = [];
  for (const field of shape.fields) {
    const held = value[field.key];
    if (isDefault(field, held)) continue;
    for (const item of field.many ? (held as unknown[]) : [held]) writeOne(bytes, field, item);
  }
  return bytes;
}

function writeOne(into: number[], field: Field, value: unknown): void {
  const { type } = field;
  if (type === "m" || type === "s" || type === "y") {
    varint(into, field.number * 8 + LENGTH);
    const inner =
      type === "m" ? write(field.of, value as Record<string, unknown>) : type === "s" ? encodeUtf8(value as string) : (value as Uint8Array);
    varint(into, inner.length);
    for (const byte of inner) into.push(byte);
  } else {
    varint(into, field.number * 8 + VARINT);
    varint(into, type === "e" ? field.values.indexOf(value as string) : Number(value));
  }
}

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  varint(): number {
    let value = 0;
    for (let place = 0; place < 10; place++) {
      if (this.at >= this.end) bad("cut short");
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return value;
    }
    return bad("varint of more than ten bytes");
  }

  /** What follows behind its length. */
  inner(): Reader {
    return this.span(this.varint());
  }

  span(size: number): Reader {
    const from = this.at;
    if (from + size > this.end) bad("cut short");
    this.at += size;
    return new Reader(this.bytes, from, this.at);
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === LENGTH) this.inner();
    else if (wire === 1 || wire === 5) this.span(wire === 1 ? 8 : 4);
    else bad("wire type");
  }
}

function read(shape: Shape, reader: Reader, value: Record<string, unknown>): Record<string, unknown> {
  while (reader.at < reader.end) {
    const tag = reader.varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (!number) bad("field number zero");
    const field = shape.byNumber.get(number);
    if (!field) {
      reader.skip(wire);
      continue;
    }
    const item = readOne(field, reader, wire);
    if (field.many) (value[field.key] as unknown[]).push(item);
    else value[field.key] = item;
  }
  return value;
}

function readOne(field: Field, reader: Reader, wire: number): unknown {
  const { type } = field;
  const isLong = type === "m" || type === "s" || type === "y";
  if (wire !== (isLong ? LENGTH : VARINT)) bad("wire type");
  if (isLong) {
    const inner = reader.inner();
    if (type === "m") return read(field.of, inner, blank(field.of));
    return type === "s" ? decodeUtf8(inner.bytes, inner.at, inner.end) : inner.bytes.slice(inner.at, inner.end);
  }
  const number = reader.varint();
  if (type === "b") return number !== 0;
  return type === "e" ? (field.values[number] ?? field.values[0]) : whole(number, maxOf(type));
}

/** Protocol Buffers: smaller on the wire than MessagePack, for a few kilobytes of code more. */
export const protobuf: Codec = {
  subprotocol: "konvert.v1.protobuf",
  binary: true,
  encode(frame, side = "client") {
    const body = write(side === "client" ? CLIENT : SERVER, fromFrame(frame));
    const head: number[] = [];
    varint(head, body.length);
    return Uint8Array.from(head.concat(body));
  },
  decode(data, side = "server") {
    if (typeof data === "string") bad("text in a binary encoding");
    const reader = new Reader(data, 0, data.length);
    const frames = [];
    while (reader.at < reader.end) {
      frames.push(toFrame(read(side === "client" ? CLIENT : SERVER, reader.inner(), { id: 0 })));
    }
    return frames;
  },
};
