// Frames over WebSocket, in the codec of choice. The first of the transports.
//
// Owns packing: several frames to a message, within the server's limits. Knows no frame by name.
import type { Codec } from "./codec.js";
import { CLOSE } from "./errors.js";
import type { Platform } from "./platform.js";
import type { Channel, ChannelEvents, Transport } from "./transport.js";
import type { ClientFrame, ServerFrame } from "./wire.js";

/** `https://host/base` as the address of the socket. */
export const socketUrl = (url: string) => `${url.replace(/^http/, "ws")}/api/websocket`;

/** The transport over WebSocket. */
export function webSocketTransport(url: string, codec: Codec, platform: Platform): Transport {
  return {
    name: "websocket",
    usable: !!platform.webSocket,
    open: (events) => openSocket(socketUrl(url), codec, platform, events),
  };
}

function openSocket(url: string, codec: Codec, platform: Platform, events: ChannelEvents): Channel {
  // A transport that is not usable is not opened.
  const socket = platform.webSocket!(url, codec.subprotocol);
  let isOver = false;
  const end = (code: number, reason: string, tell: boolean) => {
    if (isOver) return;
    isOver = true;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // An error after the end would be uncaught in some engines.
    socket.onerror = () => {};
    if (tell) events.onClose(code, reason);
  };
  socket.binaryType = "arraybuffer";
  socket.onopen = () => events.onOpen();
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => end(code < 4000 ? CLOSE.network : code, reason || `WebSocket ${code}`, true);
  socket.onmessage = ({ data }) => {
    let frames: ServerFrame[];
    try {
      frames = codec.decode(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)) as ServerFrame[];
    } catch (error) {
      socket.close(CLOSE.bad_server);
      return end(CLOSE.bad_server, String(error), true);
    }
    events.onFrames(frames);
  };
  return {
    send(frames, limits) {
      if (isOver) return;
      for (const message of pack(frames, codec, limits)) socket.send(message);
    },
    close(code) {
      if (isOver) return;
      end(code, "", false);
      // Ours are between 3000 and 3999, which pages may use; the server needs to know no more than "gone".
      socket.close(1000);
    },
    get waitingBytes() {
      return socket.bufferedAmount;
    },
  };
}

/** Frames as few messages, none over the limits (a frame that is too big alone goes alone: the server refuses it). */
export function* pack(
  frames: readonly ClientFrame[],
  codec: Codec,
  limits: { framesPerMessage: number; messageBytes: number },
): Generator<string | Uint8Array> {
  let parts: (string | Uint8Array)[] = [];
  let size = 0;
  for (const frame of frames) {
    const part = codec.encode(frame);
    // Text may be up to three bytes to a unit.
    const bytes = typeof part === "string" ? part.length * 3 : part.length;
    if (parts.length && (size + bytes > limits.messageBytes || parts.length >= limits.framesPerMessage)) {
      yield join(parts, size);
      parts = [];
      size = 0;
    }
    parts.push(part);
    size += bytes;
  }
  if (parts.length) yield join(parts, size);
}

function join(parts: (string | Uint8Array)[], size: number): string | Uint8Array {
  if (parts.length === 1) return parts[0] as string | Uint8Array;
  if (typeof parts[0] === "string") return parts.join("");
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts as Uint8Array[]) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
