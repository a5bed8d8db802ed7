// MessagePack for the schema and nothing else: maps by name, whole numbers, text, bytes, lists.
//
// Owns the bytes. Invariants: reading never runs past the end and never nests deeper than `DEPTH_MAX`; what is
// unknown is skipped; what is of a wrong type is refused.
import { bad, type Codec, fromFrame, maxOf, toFrame, whole } from "./codec.js";
import { blank, CLIENT, type Field, isDefault, SERVER, type Shape } from "./schema.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const DEPTH_MAX = 16;

class Writer {
  #bytes = new Uint8Array(256);
  #at = 0;

  get written(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  message(shape: Shape, value: Record<string, unknown>): void {
    const present = shape.fields.filter((field) => !isDefault(field, value[field.key]));
    this.#head(present.length, 0x80, 16, [0, 0xde, 0xdf]);
    for (const field of present) {
      this.#text(field.name);
      const held = value[field.key];
      if (!field.many) this.#one(field, held);
      else {
        const list = held as unknown[];
        this.#head(list.length, 0x90, 16, [0, 0xdc, 0xdd]);
        for (const item of list) this.#one(field, item);
      }
    }
  }

  #one(field: Field, value: unknown): void {
    if (field.type === "m") this.message(field.of, value as Record<string, unknown>);
    else if (field.type === "b") this.#number(value ? 0xc3 : 0xc2, 1);
    else if (field.type === "y") {
      this.#head((value as Uint8Array).length, 0, 0, [0xc4, 0xc5, 0xc6]);
      this.#raw(value as Uint8Array);
    } else if (typeof value === "string") this.#text(value);
    else this.#head(value as number, 0, 128, [0xcc, 0xcd, 0xce]);
  }

  #text(text: string): void {
    const bytes = encodeUtf8(text);
    this.#head(bytes.length, 0xa0, 32, [0xd9, 0xda, 0xdb]);
    this.#raw(bytes);
  }

  /** A number or a length: with its tag in one byte below `small`, else behind the tag for one, two, four bytes. */
  #head(count: number, tag: number, small: number, tags: readonly [number, number, number]): void {
    if (count < small) this.#number(tag | count, 1);
    else if (count < 0x100 && tags[0]) this.#number(tags[0] * 0x100 + count, 2);
    else if (count < 0x1_0000) this.#number(tags[1] * 0x1_0000 + count, 3);
    else if (count < 0x1_0000_0000) {
      this.#number(tags[2], 1);
      this.#number(count, 4);
    } else {
      this.#number(0xcf, 1);
      this.#number(Math.floor(count / 0x1_0000_0000), 4);
      this.#number(count % 0x1_0000_0000, 4);
    }
  }

  #number(value: number, size: number): void {
    this.#room(size);
    for (let shift = size - 1; shift >= 0; shift--) this.#bytes[this.#at++] = (value / 2 ** (8 * shift)) & 0xff;
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#at + more, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

class Reader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  get ended(): boolean {
    return this.#at >= this.bytes.length;
  }

  message(shape: Shape, value: Record<string, unknown>): Record<string, unknown> {
    for (let left = this.#count(0x80, 0xde); left > 0; left--) {
      const field = shape.byName.get(this.#text());
      if (!field) this.#skip(0);
      else if (!field.many) {
        // `nil` stands for a message that is absent.
        if (field.type === "m" && this.bytes[this.#at] === 0xc0) this.#at++;
        else value[field.key] = this.#one(field);
      } else {
        const list: unknown[] = [];
        for (let items = this.#count(0x90, 0xdc); items > 0; items--) list.push(this.#one(field));
        value[field.key] = list;
      }
    }
    return value;
  }

  #one(field: Field): unknown {
    switch (field.type) {
      case "m":
        return this.message(field.of, blank(field.of));
      case "s":
        return this.#text();
      case "y":
        return this.#blob();
      case "e": {
        const name = this.#text();
        return field.values.includes(name) ? name : bad("enum");
      }
      case "b": {
        const tag = this.#take(1);
        return tag === 0xc3 || (tag === 0xc2 ? false : bad("bool"));
      }
      default:
        return whole(this.#whole(), maxOf(field.type));
    }
  }

  #whole(): number {
    const tag = this.#take(1);
    if (tag < 0x80) return tag;
    if (tag >= 0xcc && tag <= 0xcf) return this.#take(1 << (tag - 0xcc));
    if (tag < 0xd0 || tag > 0xd3) bad("number");
    // Signed forms are fine as long as the value is not negative.
    const size = 1 << (tag - 0xd0);
    return (this.bytes[this.#at] ?? 0) >= 0x80 ? bad("negative") : this.#take(size);
  }

  #text(): string {
    const tag = this.#take(1);
    if (tag >> 5 !== 5 && (tag < 0xd9 || tag > 0xdb)) bad("text");
    const from = this.#span(tag >> 5 === 5 ? tag & 0x1f : this.#take(1 << (tag - 0xd9)));
    return decodeUtf8(this.bytes, from, this.#at);
  }

  #blob(): Uint8Array {
    const tag = this.#take(1);
    const isText = tag >> 5 === 5;
    const base = tag >= 0xd9 ? 0xd9 : 0xc4;
    if (!isText && (tag < base || tag > base + 2)) bad("bytes");
    const from = this.#span(isText ? tag & 0x1f : this.#take(1 << (tag - base)));
    return this.bytes.slice(from, this.#at);
  }

  /** The number of entries of a map or a list. */
  #count(small: number, wide: number): number {
    const tag = this.#take(1);
    if (tag >= small && tag < small + 16) return tag - small;
    return tag === wide || tag === wide + 1 ? this.#take(tag === wide ? 2 : 4) : bad("map or list");
  }

  #skip(depth: number): void {
    if (depth > DEPTH_MAX) bad("nested too deep");
    const tag = this.bytes[this.#at] ?? bad("cut short");
    const isMap = tag >> 4 === 8 || tag === 0xde || tag === 0xdf;
    if (isMap || tag >> 4 === 9 || tag === 0xdc || tag === 0xdd) {
      const items = isMap ? this.#count(0x80, 0xde) * 2 : this.#count(0x90, 0xdc);
      for (let left = items; left > 0; left--) this.#skip(depth + 1);
    } else if (tag >> 5 === 5 || (tag >= 0xd9 && tag <= 0xdb) || (tag >= 0xc4 && tag <= 0xc6)) this.#blob();
    else if (tag < 0x80 || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) this.#at++;
    else if (tag === 0xca || tag === 0xcb) this.#span(tag === 0xca ? 5 : 9);
    else if (tag >= 0xcc && tag <= 0xd3) this.#span(1 + (1 << ((tag - 0xcc) & 3)));
    else if (tag >= 0xd4 && tag <= 0xd8) this.#span(2 + (1 << (tag - 0xd4)));
    else if (tag >= 0xc7 && tag <= 0xc9) {
      this.#at++;
      this.#span(1 + this.#take(1 << (tag - 0xc7)));
    } else bad("no such tag");
  }

  #take(size: number): number {
    let value = 0;
    for (let at = this.#span(size); at < this.#at; at++) value = value * 256 + (this.bytes[at] as number);
    return value;
  }

  /** Steps over so many bytes and tells where they began. */
  #span(size: number): number {
    const from = this.#at;
    if (from + size > this.bytes.length) bad("cut short");
    this.#at += size;
    return from;
  }
}

/** MessagePack, the default. */
export const msgpack: Codec = {
  subprotocol: "konvert.v1.msgpack",
  binary: true,
  encode(frame, side = "client") {
    const writer = new Writer();
    writer.message(side === "client" ? CLIENT : SERVER, fromFrame(frame));
    return writer.written;
  },
  decode(data, side = "server") {
    if (typeof data === "string") bad("text in a binary encoding");
    const reader = new Reader(data);
    const frames = [];
    while (!reader.ended) frames.push(toFrame(reader.message(side === "client" ? CLIENT : SERVER, { id: 0 })));
    return frames;
  },
};
