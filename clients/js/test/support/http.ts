// The fake server behind plain HTTP: streams of events, long polls, sends; and uploads and REST for their own tests.
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "../../src/core/json.js";
import type { ClientFrame, Frame, ServerFrame } from "../../src/core/wire.js";
import { FakeServer, FakeSocket } from "./fake.js";

/** A session without a socket. */
class Session extends FakeSocket {
  why: { close_code?: number } = {};
  readonly secret = `secret-${Math.random().toString(36).slice(2)}`;
  #waiting = `event: session\ndata: {"session":"${this.secret}"}\n\n`;
  #response: ServerResponse | null = null;

  constructor(
    server: FakeServer,
    readonly isStream: boolean,
    readonly cut: () => number,
  ) {
    super(server);
  }

  answer(response: ServerResponse): void {
    this.#response?.writeHead(204).end();
    this.#response = response;
    if (this.isStream) response.writeHead(200, { "content-type": "text/event-stream" });
    if (this.isStream) response.on("close", () => this.close());
    this.#flush();
  }

  override say(...frames: ServerFrame[]): void {
    if (!this.isOpen) return;
    for (const frame of frames) this.#waiting += `:\n\ndata: ${(json.encode(frame as Frame, "server") as string).trim()}\n\n`;
    this.#flush();
  }

  override end(code: number, reason = ""): void {
    if (!this.isOpen) return;
    this.#waiting += `event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`;
    this.#flush();
    this.why = { close_code: code };
    this.close();
    this.#response?.end();
  }

  #flush(): void {
    const response = this.#response;
    if (!response || !this.#waiting) return;
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = "";
    if (!this.isStream) {
      this.#response = null;
      response.writeHead(200, { "content-type": "text/event-stream" }).end(bytes);
      return;
    }
    // Cut anywhere, also inside a character.
    const at = this.cut() % (bytes.length + 1);
    response.write(bytes.subarray(0, at));
    response.write(bytes.subarray(at));
  }
}

export class HttpFront {
  readonly server = new FakeServer();
  readonly sessions = new Map<string, Session>();
  readonly paths: string[] = [];
  /** Another answer to a request than the usual one. */
  refuse: (path: string, request: IncomingMessage) => number = () => 0;
  /** Takes requests outside of the live edge. */
  rest: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void = (_, __, response) => response.writeHead(404).end();
  #cuts = 0;
  readonly #http: HttpServer;

  private constructor() {
    this.#http = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => this.#serve(request, Buffer.concat(parts), response));
    });
  }

  static async start(): Promise<HttpFront> {
    const front = new HttpFront();
    await new Promise<void>((resolve) => front.#http.listen(0, "127.0.0.1", resolve));
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #serve(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const path = request.url ?? "";
    this.paths.push(path);
    const refused = this.refuse(path, request);
    if (refused) return void response.writeHead(refused, { "retry-after": "1" }).end();
    const frames = () => json.decode(body.toString(), "client") as ClientFrame[];
    const secret = request.headers["konvert-session"] as string | undefined;
    if (path === "/api/sse" || (path === "/api/poll" && !secret)) {
      const session = new Session(this.server, path === "/api/sse", () => (this.#cuts += 7));
      this.server.sockets.push(session);
      this.server.connectedAt.push(Date.now());
      this.sessions.set(session.secret, session);
      for (const frame of frames()) this.server.hear(session, frame);
      return session.answer(response);
    }
    if (!/^\/api\/(poll|send|close)$/.test(path)) return this.rest(request, body, response);
    const session = this.sessions.get(secret ?? "");
    if (!session?.isOpen) return void response.writeHead(410).end(JSON.stringify({ name: "session_ended", ...session?.why }));
    if (path === "/api/close") session.close();
    for (const frame of frames()) {
      session.heard.push(frame);
      this.server.hear(session, frame);
    }
    if (path === "/api/poll") session.answer(response);
    else response.writeHead(202).end();
  }
}
