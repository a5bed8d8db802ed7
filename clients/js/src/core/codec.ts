// What a codec is, and what all of them share: a frame as one flat map of `id` and exactly one body.
//
// Knows no encoding. Invariant: bytes that are not frames end in `BadFrame`, never in a half-read frame.
import type { Frame } from "./wire.js";

/** One way of writing frames. */
export interface Codec {
  /** The subprotocol of WebSocket that chooses it. */
  readonly subprotocol: string;
  /** Whether WebSocket messages are binary. */
  readonly binary: boolean;
  /** One frame as it stands in a message. */
  encode(frame: Frame, side?: "client" | "server"): Uint8Array | string;
  /** All frames of one message. @throws {BadFrame} */
  decode(data: Uint8Array | string, side?: "client" | "server"): Frame[];
}

/** Bytes that are not frames. */
export class BadFrame extends Error {
  override readonly name = "BadFrame";
}

/** Refuses what was read. */
export function bad(why: string): never {
  throw new BadFrame(why);
}

/** A map of `id` and one body as a frame. A frame without any known body is of the type `unknown`. */
export function toFrame(flat: Record<string, unknown>): Frame {
  let body: Frame | undefined;
  const id = flat.id as number;
  for (const type in flat) {
    if (type === "id") continue;
    if (body) bad("two bodies");
    body = { id, type, value: flat[type] };
  }
  return body ?? { id, type: "unknown", value: null };
}

/** The other way round. */
export const fromFrame = (frame: Frame): Record<string, unknown> => ({ id: frame.id, [frame.type]: frame.value });

/** A whole number within bounds. */
export function whole(value: unknown, max: number): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > max) bad("number");
  return value as number;
}

/** The largest number of a field: 32 bits or 2^53 - 1. */
export const maxOf = (type: string) => (type === "n" ? 0xffff_ffff : Number.MAX_SAFE_INTEGER);
