// Frames over plain HTTP, where WebSocket is blocked: server-sent events with POST, and long polls with POST.
//
// Owns requests of one session: the stream or poll that brings frames, one `send` at a time that takes them. Read by
// streaming `fetch`, because `EventSource` can neither POST nor tell why it failed.
// Invariants: frames leave in order; a request whose outcome is unknown ends the channel, and resume settles it.
import { CLOSE } from "./errors.js";
import { EventStream, type StreamEvent } from "./event_stream.js";
import { json } from "./json.js";
import type { FetchLike, Platform, ResponseLike } from "./platform.js";
import type { Channel, ChannelEvents, Transport } from "./transport.js";
import { pack } from "./websocket.js";
import type { ClientFrame, Limits, ServerFrame } from "./wire.js";

/** A poll that brought nothing this quickly is not repeated at once. */
const EMPTY_MS = 1_000;

/** The transport over server-sent events (`sse`) or long polls (`poll`). */
export function httpTransport(name: "sse" | "poll", url: string, platform: Platform): Transport {
  return {
    name,
    usable: !!platform.fetch,
    open: (events) => new HttpChannel(name, url, platform, events),
  };
}

class HttpChannel implements Channel {
  readonly #isStream: boolean;
  readonly #url: string;
  readonly #platform: Platform;
  readonly #events: ChannelEvents;
  readonly #abort;
  #session = "";
  #begun = false;
  #sending = false;
  #queue: string[] = [];
  #isOver = false;

  constructor(name: "sse" | "poll", url: string, platform: Platform, events: ChannelEvents) {
    this.#isStream = name === "sse";
    this.#url = url;
    this.#platform = platform;
    this.#events = events;
    this.#abort = platform.abort();
    Promise.resolve().then(() => this.#isOver || events.onOpen());
  }

  get waitingBytes(): number {
    return this.#queue.reduce((sum, body) => sum + body.length, 0);
  }

  send(frames: readonly ClientFrame[], limits: Pick<Limits, "framesPerMessage" | "messageBytes">): void {
    if (this.#isOver) return;
    this.#queue.push(...([...pack(frames, json, limits)] as string[]));
    if (!this.#begun) {
      this.#begun = true;
      this.#run(this.#queue.shift() as string).catch((error) => this.#end(CLOSE.network, String(error)));
    } else this.#drain();
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // A goodbye, so that nobody sees us as present for longer than we are.
    if (this.#session) this.#post("/api/close", "", false).catch(() => {});
    this.#abort.abort();
  }

  async #run(hello: string): Promise<void> {
    await this.#listen(await this.#post(this.#isStream ? "/api/sse" : "/api/poll", hello));
    while (this.#session && !this.#isOver && !this.#isStream) {
      const asked = this.#platform.now();
      const heard = await this.#listen(await this.#post("/api/poll", ""));
      const rest = EMPTY_MS - (this.#platform.now() - asked);
      if (!heard && rest > 0) await new Promise<void>((resolve) => this.#platform.after(rest, resolve));
    }
    this.#end(CLOSE.network, "the stream ended");
  }

  /** Takes everything of one answer; tells whether there was anything. */
  async #listen(response: ResponseLike): Promise<boolean> {
    if (this.#isOver || response.status === 204) return false;
    if (!response.ok) {
      await this.#refused(response);
      return false;
    }
    let heard = false;
    const stream = new EventStream((event) => {
      heard = true;
      this.#hear(event);
    });
    if (!this.#isStream) stream.text(await response.text());
    else {
      if (!response.body) throw new Error("this fetch cannot stream");
      const reader = response.body.getReader();
      for (let part = await reader.read(); !part.done && !this.#isOver; part = await reader.read()) {
        if (part.value) stream.bytes(part.value);
      }
    }
    return heard;
  }

  #hear({ name, data }: StreamEvent): void {
    if (this.#isOver) return;
    try {
      if (name === "session") {
        this.#session = String(JSON.parse(data).session);
        this.#drain();
      } else if (name === "close") {
        const { code, reason } = JSON.parse(data);
        this.#end(Number.isInteger(code) && code >= 4000 ? code : CLOSE.network, String(reason));
      } else if (name === "message") this.#events.onFrames(json.decode(data) as ServerFrame[]);
    } catch (error) {
      this.#end(CLOSE.bad_server, String(error));
    }
  }

  /** Sends what is queued, one request at a time, so that order holds. */
  async #drain(): Promise<void> {
    if (this.#sending || !this.#session) return;
    this.#sending = true;
    try {
      while (this.#queue.length && !this.#isOver) {
        const response = await this.#post("/api/send", this.#queue[0] as string);
        if (response.ok || !(await this.#refused(response))) this.#queue.shift();
      }
    } catch (error) {
      this.#end(CLOSE.network, String(error));
    }
    this.#sending = false;
  }

  #post(path: string, body: string, abortable = true): Promise<ResponseLike> {
    const headers: Record<string, string> = { "content-type": "application/x-ndjson" };
    if (this.#session) headers["konvert-session"] = this.#session;
    const signal = abortable ? { signal: this.#abort.signal } : {};
    return (this.#platform.fetch as FetchLike)(this.#url + path, { method: "POST", headers, body, cache: "no-store", ...signal });
  }

  /** Tells whether the same request may be sent again; it has waited then. */
  async #refused(response: ResponseLike): Promise<boolean> {
    const { status, headers } = response;
    const after = Number(headers.get("retry-after") ?? 0) * 1_000 || 0;
    if (status === 429 && this.#session) {
      await new Promise<void>((resolve) => this.#platform.after(Math.max(after, EMPTY_MS), resolve));
      return true;
    }
    if (status === 410) this.#end(await whyEnded(response), "the session has ended");
    else if (status === 503 || status === 429) this.#end(4200, `HTTP ${status}`, after);
    else this.#end(CLOSE.network, `HTTP ${status}`);
    return false;
  }

  #end(code: number, reason: string, retryAfterMs?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort.abort();
    this.#events.onClose(code, reason, retryAfterMs);
  }
}

/** The close code of a session that is no more, if the server still knows it. */
async function whyEnded(response: ResponseLike): Promise<number> {
  try {
    const code = JSON.parse(await response.text()).close_code;
    return code >= 4000 && code < 5000 ? code : CLOSE.session_ended;
  } catch {
    return CLOSE.session_ended;
  }
}
