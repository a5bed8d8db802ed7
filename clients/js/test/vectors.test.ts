// The golden vectors: what every implementation must read and write, in all three encodings; and the schema's table
// against the schema itself.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BadFrame, type Codec } from "../src/core/codec.js";
import { json } from "../src/core/json.js";
import { msgpack } from "../src/core/msgpack.js";
import { SHAPES } from "../src/core/schema.js";
import { decodeUtf8, encodeUtf8 } from "../src/core/utf8.js";
import { protobuf } from "../src/protobuf.js";

const protocol = new URL("../../../protocol/", import.meta.url);
type Side = "client" | "server";
type Vector = { name: string; direction: Side; frames?: object[]; protobuf?: string; msgpack?: string; json?: string };
const vectors = (file: string): Vector[] => JSON.parse(readFileSync(new URL(`vectors/${file}`, protocol), "utf8"));

const unhex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const hex = (parts: (Uint8Array | string)[]) => Buffer.concat(parts.map((part) => Buffer.from(part))).toString("hex");
const codecs: [keyof Vector & ("protobuf" | "msgpack" | "json"), Codec][] = [
  ["protobuf", protobuf],
  ["msgpack", msgpack],
  ["json", json],
];
const input = (name: string, held: string) => (name === "json" ? held : unhex(held));
/** Frames as the vectors show them. */
const shown = (frames: ReturnType<Codec["decode"]>, side: Side) => frames.map((frame) => JSON.parse(json.encode(frame, side) as string));

describe("frames.json", () => {
  for (const vector of vectors("frames.json")) {
    test(vector.name, () => {
      const frames = json.decode(vector.frames?.map((frame) => JSON.stringify(frame)).join("\n") ?? "", vector.direction);
      expect(shown(frames, vector.direction)).toEqual(vector.frames);
      for (const [name, codec] of codecs.slice(0, 2)) {
        const bytes = vector[name] ?? "";
        expect(shown(codec.decode(unhex(bytes), vector.direction), vector.direction), name).toEqual(vector.frames);
        expect(hex(frames.map((frame) => codec.encode(frame, vector.direction))), name).toBe(bytes);
      }
    });
  }
});

describe.each(codecs)("%s", (name, codec) => {
  const of = (file: string) => vectors(file).filter((vector) => vector[name] !== undefined);
  test.each(of("refused.json"))("refuses: $name", (vector) => {
    expect(() => codec.decode(input(name, vector[name] as string), vector.direction)).toThrow(BadFrame);
  });
  test.each(of("tolerated.json"))("tolerates: $name", (vector) => {
    // What is expected may spell out a default.
    const expected = json.decode((vector.frames ?? []).map((frame) => JSON.stringify(frame)).join("\n"), vector.direction);
    expect(shown(codec.decode(input(name, vector[name] as string), vector.direction), vector.direction)).toEqual(
      shown(expected, vector.direction),
    );
  });
  test("takes only its own sort of message", () => {
    if (codec.binary) expect(() => codec.decode("{}")).toThrow(BadFrame);
  });
});

test("the table is the schema", () => {
  const proto = readFileSync(new URL("konvert.proto", protocol), "utf8").replace(/\/\/.*$/gm, "");
  const alias: Record<string, string> = { Ping: "Empty", Pong: "Empty", Signaled: "Empty", Unsubscribe: "Room", Unsubscribed: "Room" };
  const plain: Record<string, string> = { uint64: "u", uint32: "n", string: "s", bool: "b", bytes: "y" };
  const enums = [...proto.matchAll(/enum (\w+)/g)].map((found) => found[1]);
  let checked = 0;
  for (const [, title = "", body = ""] of proto.matchAll(/message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}/g)) {
    const shape = SHAPES.get(alias[title] ?? title);
    expect(shape, title).toBeDefined();
    for (const [, many, type = "", name = "", number] of body.matchAll(/(repeated )?(\w+) (\w+) = (\d+);/g)) {
      const field = shape?.byName.get(name);
      const expected = { number: Number(number), many: !!many, type: plain[type] ?? (enums.includes(type) ? "e" : "m") };
      expect({ number: field?.number, many: field?.many, type: field?.type }, `${title}.${name}`).toEqual(expected);
      if (expected.type === "m") expect(field?.of, `${title}.${name}`).toBe(SHAPES.get(alias[type] ?? type));
      checked++;
    }
  }
  for (const [, name = "", body = ""] of proto.matchAll(/enum (\w+) \{([^}]*)\}/g)) {
    const prefix = name === "RelationKind" ? "RELATION_" : `${name.toUpperCase()}_`;
    const values = [...body.matchAll(/(\w+) = \d+/g)].map((found) => found[1]?.replace(prefix, "").toLowerCase());
    const users = [...SHAPES.values()].flatMap((shape) => shape.fields).filter((field) => field.values[0] === values[0]);
    expect(users.length, name).toBeGreaterThan(0);
    for (const field of users) expect(field.values, name).toEqual(values);
  }
  expect(checked).toBeGreaterThan(100);
});

test("text of every sort survives, and broken text is refused", () => {
  for (const text of ["", "aß€😀", "П🦀".repeat(5_000), "\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}"]) {
    expect(hex([encodeUtf8(text)])).toBe(Buffer.from(text).toString("hex"));
    expect(decodeUtf8(encodeUtf8(text))).toBe(text);
  }
  expect(decodeUtf8(encodeUtf8("a\ud800b"))).toBe("a\ufffdb");
  for (const broken of ["c0af", "eda080", "f4908080", "80", "e282", "ff", "f8888080"]) {
    expect(() => decodeUtf8(unhex(broken)), broken).toThrow(BadFrame);
  }
});
