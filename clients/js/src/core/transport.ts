// What a transport is: a way for frames to the server and back. WebSocket, server-sent events, long polls, another tab.
//
// Invariants every transport keeps: `onOpen` before frames, `onClose` exactly once and last, nothing after `close()`.
import type { ClientFrame, Limits, ServerFrame } from "./wire.js";

/** What a transport tells. */
export interface ChannelEvents {
  /** Frames may be sent. */
  onOpen(): void;
  /** Frames came, in order. */
  onFrames(frames: readonly ServerFrame[]): void;
  /** It is over, with a close code. `retryAfterMs` is the server's advice, where it came outside of a frame. */
  onClose(code: number, reason: string, retryAfterMs?: number): void;
}

/** One connection over a transport. */
export interface Channel {
  /** Frames that are ready at the same moment. */
  send(frames: readonly ClientFrame[], limits: Pick<Limits, "framesPerMessage" | "messageBytes">): void;
  /** Ends it without `onClose`. */
  close(code: number, reason: string): void;
  /** Bytes that wait to be written; what may be dropped is dropped when this grows. */
  readonly waitingBytes: number;
}

/** A way to the server. */
export interface Transport {
  /** `websocket`, `sse`, `poll`, `tabs`. */
  readonly name: string;
  /** Whether it can work here at all. */
  readonly usable: boolean;
  /** Begins a connection. */
  open(events: ChannelEvents): Channel;
  /** Ends what goes on in the background. */
  dispose?(): void;
}
