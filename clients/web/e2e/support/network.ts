// The network between a person and the server: cut, held and restored at will, and with proxies in it that let no
// WebSocket or no stream through.
//
// Two layers. The outer one is TCP and knows no HTTP: it cuts and holds. The inner one is HTTP: it refuses, holds back,
// counts, and serves the working tree's build of the app where APP_DIST names it. Invariant: what is not refused passes
// through unchanged, `Host` included, by which the server knows its own page.
import { existsSync, readFileSync } from "node:fs";
import { Agent, createServer, type Server as HttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Server } from "./server.ts";

/** The app's build to serve in place of the one in the binary. */
const APP_DIST = process.env.APP_DIST;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
  ".json": "application/json",
};

/** Pages and programs. */
const isAltered = (type = "") => /^text\/(html|javascript)/.test(type);

/** One request that passed, or was refused. */
export interface Passed {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export class Network {
  /** What a proxy on the way does with WebSocket handshakes: `silent` takes them and never answers. */
  webSockets: "open" | "refused" | "silent" = "open";
  /** What it does with streams: `held` keeps an answer back until it is complete, as some proxies do. */
  streams: "open" | "refused" | "held" = "open";
  /** Changes the texts of the app's files on their way, as another version of the app would differ. */
  alter: ((path: string, body: string) => string) | null = null;
  /** Told of each request as it comes in, before it goes on; it goes on when what is given back is settled. */
  onRequest: ((method: string, path: string) => unknown) | null = null;
  /** Every request over HTTP since the beginning, handshakes included. */
  readonly requests: Passed[] = [];

  readonly #server: Server;
  readonly #dist: string | undefined;
  readonly #outer: TcpServer;
  readonly #inner: HttpServer;
  /** Connections to the server are kept, as a proxy does; each belongs to one request at a time. */
  readonly #agent = new Agent({ keepAlive: true });
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #sockets = new Set<Socket>();
  #state: "open" | "cut" | "held" = "open";
  #isDeaf = false;
  #port = 0;

  private constructor(server: Server, dist: string | undefined) {
    this.#server = server;
    this.#dist = dist;
    this.#inner = createServer((from, to) => void this.#pass(from, to));
    this.#inner.on("upgrade", (from, socket: Socket, head) => this.#upgrade(from, socket, head));
    this.#inner.keepAliveTimeout = 0;
    this.#outer = createTcpServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** @param dist a build of the app to serve in place of the server's own */
  static async before(server: Server, dist = APP_DIST): Promise<Network> {
    const network = new Network(server, dist);
    await new Promise<void>((resolve) => network.#inner.listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => network.#outer.listen(0, "127.0.0.1", resolve));
    network.#port = (network.#outer.address() as AddressInfo).port;
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** WebSockets that are open at this moment. */
  webSocketCount = 0;

  /** How many requests have passed whose path begins so; of those with this answer, where one is named. */
  count(method: string, path: string, status?: number): number {
    const isOne = (one: Passed) => one.method === method && one.path.startsWith(path) && (status ?? one.status) === one.status;
    return this.requests.filter(isOne).length;
  }

  /** Ends every connection at once and refuses new ones. */
  cut(): void {
    this.#state = "cut";
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Lets nothing through, in either direction, and tells nobody: a tunnel, a lost route. */
  hold(): void {
    this.#state = "held";
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** What a page sends arrives, and nothing comes back, as with a route that is broken in one direction. */
  deafen(): void {
    this.#isDeaf = true;
    for (const [, far] of this.#pairs) far.pause();
  }

  /** All is well again; what was held goes on its way. */
  restore(): void {
    this.#state = "open";
    this.#isDeaf = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    this.#inner.closeAllConnections();
    await Promise.all([this.#outer, this.#inner].map((one) => new Promise((resolve) => one.close(resolve))));
  }

  #accept(near: Socket): void {
    near.on("error", () => {});
    if (this.#state === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: (this.#inner.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [one, other] of [pair, [far, near]] as const) {
      one.setNoDelay(true);
      one.on("error", () => other.resetAndDestroy());
      one.on("data", (bytes) => {
        // A full buffer stops the sender, unless the network is held anyway.
        if (!other.write(bytes)) one.pause();
      });
      other.on("drain", () => this.#state === "open" && !(this.#isDeaf && one === far) && one.resume());
      one.on("end", () => other.end());
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    if (this.#state === "held") for (const socket of pair) socket.pause();
    if (this.#isDeaf) far.pause();
  }

  async #pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const path = from.url ?? "/";
    const until = this.onRequest?.(from.method ?? "GET", path);
    if (until instanceof Promise) await until;
    const note = (status: number) => this.requests.push({ method: from.method ?? "GET", path, status });
    const isStream = from.method === "POST" && path.startsWith("/api/sse");
    if (isStream && this.streams === "refused") {
      note(502);
      from.resume();
      to.writeHead(502, { "content-type": "text/plain" }).end("This proxy lets no stream through.");
      return;
    }
    if (this.#dist && !path.startsWith("/api") && !path.startsWith("/ws") && from.method !== "POST") {
      void this.#serveApp(this.#dist, path, to).then(note);
      return;
    }
    const onward = request(
      { port: this.#server.port, host: "127.0.0.1", method: from.method, path, headers: this.#onward(from), agent: this.#agent },
      (answer) => {
        note(answer.statusCode ?? 0);
        const { alter } = this;
        if (alter && isAltered(answer.headers["content-type"])) {
          const kept: Buffer[] = [];
          answer.on("data", (bytes: Buffer) => kept.push(bytes));
          answer.on("end", () => {
            const { "content-length": _, ...headers } = answer.headers;
            to.writeHead(answer.statusCode ?? 502, headers).end(alter(path, String(Buffer.concat(kept))));
          });
        } else if (isStream && this.streams === "held") {
          const kept: Buffer[] = [];
          answer.on("data", (bytes: Buffer) => kept.push(bytes));
          answer.on("end", () => to.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(kept)));
        } else {
          to.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
          to.flushHeaders();
          answer.pipe(to);
        }
        answer.on("error", () => to.destroy());
      },
    );
    // A server that is not there must look so, not like a proxy that answers in its place.
    onward.on("error", () => to.destroy());
    to.on("close", () => onward.destroy());
    from.pipe(onward);
  }

  /** What the server hears of a request: all of it; of a page that will be changed also that it is not to be compressed. */
  #onward({ headers }: IncomingMessage): IncomingMessage["headers"] {
    if (!this.alter) return headers;
    const { "accept-encoding": _, "if-none-match": __, ...rest } = headers;
    return rest;
  }

  #upgrade(from: IncomingMessage, near: Socket, head: Buffer): void {
    near.on("error", () => {});
    this.#sockets.add(near);
    near.on("close", () => this.#sockets.delete(near));
    if (this.webSockets === "silent") return;
    const status = this.webSockets === "refused" ? 403 : 101;
    this.requests.push({ method: "GET", path: from.url ?? "/", status });
    if (status === 403) {
      near.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return;
    }
    const far = connect(this.#server.port, "127.0.0.1", () => {
      const headers = from.rawHeaders.map((text, i) => (i % 2 ? `${text}\r\n` : `${text}: `)).join("");
      far.write(`${from.method} ${from.url} HTTP/1.1\r\n${headers}\r\n`);
      far.write(head);
      near.pipe(far).pipe(near);
    });
    this.#sockets.add(far);
    this.webSocketCount++;
    far.on("error", () => near.resetAndDestroy());
    far.on("close", () => {
      this.webSocketCount--;
      this.#sockets.delete(far);
      near.destroy();
    });
    near.on("close", () => far.destroy());
  }

  /** A file of the build, or its page for every address that is none, with the headers that the server gives its own page. */
  async #serveApp(dist: string, path: string, to: ServerResponse): Promise<number> {
    const wanted = normalize(decodeURIComponent(path.split("?")[0] ?? "/"));
    const file = join(dist, wanted);
    const isFile = extname(wanted) !== "" && existsSync(file);
    if (!isFile && extname(wanted) !== "") {
      to.writeHead(404).end();
      return 404;
    }
    const own = await fetch(this.#server.url).catch(() => null);
    if (!own) {
      to.destroy();
      return 0;
    }
    const kept = ["content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy"];
    const headers = kept.flatMap((name) => (own.headers.has(name) ? [[name, own.headers.get(name) ?? ""]] : []));
    const type = TYPES[isFile ? extname(wanted) : ".html"] ?? "application/octet-stream";
    to.writeHead(200, { ...Object.fromEntries(headers), "content-type": type, "cache-control": "no-cache" });
    const bytes = readFileSync(isFile ? file : join(dist, "index.html"));
    to.end(isAltered(type) ? (this.alter?.(path, String(bytes)) ?? bytes) : bytes);
    return 200;
  }
}
