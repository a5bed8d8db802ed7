// A WebSocket client for Node before 22, which has none of its own. RFC 6455, client side, without extensions.
//
// Owns one socket and the bytes on it. Invariants: `onclose` exactly once and last; a peer that breaks the protocol is
// closed with 1002, one that sends more than `MESSAGE_MAX_BYTES` with 1009.
import { createHash, randomBytes } from "node:crypto";
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import type { Duplex } from "node:stream";
import type { WebSocketLike } from "../core/platform.js";

const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;
const GOODBYE_MS = 2_000;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CONTINUE = 0;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class NodeWebSocket implements WebSocketLike {
  binaryType = "arraybuffer";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly #request;
  #socket: Duplex | null = null;
  #input: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #kind = 0;
  #isClosing = false;
  #isOver = false;

  constructor(url: string, subprotocol: string, more: Record<string, string> = {}) {
    const key = randomBytes(16).toString("base64");
    const address = url.replace(/^ws/, "http");
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
      "sec-websocket-protocol": subprotocol,
      ...more,
    };
    this.#request = (address.startsWith("https") ? secure : plain)(address, { headers });
    this.#request.on("error", (error) => this.#end(1006, error.message));
    this.#request.on("response", (response) => {
      response.resume();
      this.#end(1006, `HTTP ${response.statusCode}`);
    });
    this.#request.on("upgrade", (response, socket, head) => {
      const accept = createHash("sha1")
        .update(key + GUID)
        .digest("base64");
      const isRight = response.headers["sec-websocket-accept"] === accept && response.headers["sec-websocket-protocol"] === subprotocol;
      if (this.#isClosing || !isRight) return this.#refuse(socket);
      this.#open(socket, head);
    });
    this.#request.end();
  }

  get bufferedAmount(): number {
    return this.#socket?.writableLength ?? 0;
  }

  send(data: string | Uint8Array): void {
    if (this.#isClosing) return;
    const isText = typeof data === "string";
    this.#write(isText ? TEXT : 2, isText ? Buffer.from(data) : data);
  }

  close(code = 1000, reason = ""): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (!this.#socket) {
      this.#request.destroy();
      return this.#end(1006, "");
    }
    this.#bye(code, reason);
  }

  #refuse(socket: Duplex): void {
    socket.destroy();
    this.#end(1006, "the handshake was refused");
  }

  #open(socket: Duplex, head: Buffer): void {
    this.#socket = socket;
    if ("setNoDelay" in socket) (socket as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#end(1006, error.message));
    socket.on("close", () => this.#end(1006, ""));
    this.onopen?.(undefined as never);
    if (head.length) this.#read(head);
  }

  #read(chunk: Buffer): void {
    this.#input = this.#input.length ? Buffer.concat([this.#input, chunk]) : chunk;
    while (!this.#isOver && this.#frame());
  }

  /** Takes one whole frame, if there is one. */
  #frame(): boolean {
    const input = this.#input;
    if (input.length < 2) return false;
    const [first = 0, second = 0] = input;
    const short = second & 0x7f;
    const start = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (input.length < start) return false;
    const size = short === 126 ? input.readUInt16BE(2) : short === 127 ? Number(input.readBigUInt64BE(2)) : short;
    // Extensions were not agreed on, and servers do not mask.
    if (first & 0x70 || second & 0x80) return this.#fail(1002);
    if (size > MESSAGE_MAX_BYTES) return this.#fail(1009);
    if (input.length < start + size) return false;
    this.#input = input.subarray(start + size);
    this.#take(first & 0x0f, (first & 0x80) !== 0, input.subarray(start, start + size));
    return true;
  }

  #take(kind: number, isLast: boolean, payload: Buffer): void {
    if (kind === PING) return this.#write(PONG, payload);
    if (kind === PONG) return;
    if (kind === CLOSE) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      if (!this.#isClosing) this.#bye(code === 1005 ? 1000 : code, "");
      return this.#end(code, payload.subarray(2).toString());
    }
    if (kind > 2 || (kind === CONTINUE) !== this.#parts.length > 0) return void this.#fail(1002);
    if (kind !== CONTINUE) this.#kind = kind;
    this.#parts.push(payload);
    if (this.#parts.reduce((sum, part) => sum + part.length, 0) > MESSAGE_MAX_BYTES) return void this.#fail(1009);
    if (!isLast) return;
    const message = Buffer.concat(this.#parts);
    this.#parts = [];
    if (this.#isClosing) return;
    this.onmessage?.({ data: this.#kind === TEXT ? message.toString() : new Uint8Array(message) });
  }

  #write(kind: number, payload: Uint8Array): void {
    const size = payload.length;
    const head = Buffer.alloc(size < 126 ? 6 : size < 0x1_0000 ? 8 : 14);
    head[0] = 0x80 | kind;
    if (size < 126) head[1] = 0x80 | size;
    else if (size < 0x1_0000) {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(size, 2);
    } else {
      head[1] = 0x80 | 127;
      head.writeBigUInt64BE(BigInt(size), 2);
    }
    const mask = randomBytes(4);
    mask.copy(head, head.length - 4);
    const masked = Buffer.alloc(size);
    for (let i = 0; i < size; i++) masked[i] = (payload[i] as number) ^ (mask[i & 3] as number);
    this.#socket?.write(Buffer.concat([head, masked]));
  }

  #bye(code: number, reason: string): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code, 0);
    payload.write(reason, 2);
    this.#write(CLOSE, payload);
    const socket = this.#socket;
    // A peer that does not answer is not waited for.
    setTimeout(() => socket?.destroy(), GOODBYE_MS).unref();
  }

  #fail(code: number): false {
    this.#bye(code, "");
    this.#end(code, "");
    return false;
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = this.#isClosing = true;
    this.#socket?.end();
    this.onclose?.({ code, reason });
  }
}
