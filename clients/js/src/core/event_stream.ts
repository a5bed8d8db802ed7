// The format `text/event-stream`, as far as the server writes it: names, data, comments.
//
// Knows no frame. Invariant: an event is told when its empty line has come, never half; what is held is bounded.
import { bad } from "./codec.js";
import { decodeUtf8 } from "./utf8.js";

/** Longest event, bytes: a page of the longest messages is far below. */
const EVENT_MAX_BYTES = 8 * 1024 * 1024;

/** One event; `message` is the name of those without. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

export class EventStream {
  readonly #tell: (event: StreamEvent) => void;
  #parts: Uint8Array[] = [];
  #held = 0;
  #name = "";
  #data: string[] = [];

  constructor(tell: (event: StreamEvent) => void) {
    this.#tell = tell;
  }

  /** A whole body. */
  text(body: string): void {
    for (const line of body.split("\n")) this.#line(line);
    this.#line("");
  }

  /** What came of a body, cut anywhere. */
  bytes(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.#parts.push(chunk.subarray(from, at));
      this.#line(this.#take());
      from = at + 1;
    }
    this.#held += chunk.length - from;
    if (this.#held > EVENT_MAX_BYTES) bad("event too long");
    this.#parts.push(chunk.subarray(from));
  }

  #take(): string {
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#held = 0;
    return decodeUtf8(whole);
  }

  #line(line: string): void {
    const text = line.replace(/\r$/, "");
    if (!text) {
      if (this.#data.length) this.#tell({ name: this.#name || "message", data: this.#data.join("\n") });
      this.#name = "";
      this.#data = [];
      return;
    }
    const [, field, value = ""] = /^([^:]*):? ?(.*)$/.exec(text) ?? [];
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
  }
}
