// The real server as a child process: on a free port, with data of its own, killed, stopped and started again at will.
//
// Owns the process and its directory. Invariant: whatever becomes of the test, the process and its data end with this one.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const BINARY = process.env.KONVERT_BIN ?? fileURLToPath(new URL("../../../../target/release/konvert", import.meta.url));

const running = new Set<ChildProcess>();
const directories = new Set<string>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** Settings as `KONVERT_SECTION__KEY`. */
export type Settings = Readonly<Record<string, string>>;

export class Server {
  readonly #settings: Settings;
  #data = newDirectory();
  #child: ChildProcess | null = null;
  #port = 0;
  #said = "";
  #clock: Clock | null = null;

  private constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** With a movable clock, `moveClock` can let time pass for it. */
  static async start(settings: Settings = {}, hasMovableClock = false): Promise<Server> {
    const server = new Server(settings);
    if (hasMovableClock) server.#clock = new Clock(server.#data);
    await server.startAgain();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What it printed since it was first started. */
  get said(): string {
    return this.#said;
  }

  /** Ends it without a word, as `kill -9` and a crash do. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to end, as `systemctl stop` does; the exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Starts it on the port and the data it had. */
  async startAgain(): Promise<void> {
    const child = spawn(BINARY, ["serve", "--bind", "127.0.0.1", "--port", String(this.#port), "--data", this.#data], {
      env: { ...process.env, ...this.#settings, ...this.#clock?.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    this.#child = child;
    const port = new Promise<number>((resolve, reject) => {
      const from = this.#said.length;
      const read = (bytes: Buffer) => {
        this.#said += bytes;
        const told = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.#said.slice(from))?.[1];
        if (told) resolve(Number(told));
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("error", reject);
      child.once("exit", (code) => {
        running.delete(child);
        reject(new Error(`the server ended with ${code}: ${this.#said.slice(from)}`));
      });
    });
    this.#port = await port;
    await until("the server is ready", async () => (await fetch(`${this.url}/api/health`).catch(() => null))?.ok === true);
  }

  /** Deletes everything that a killed server has stored, its secret among it. */
  forgetEverything(): void {
    rmSync(this.#data, { recursive: true, force: true });
    this.#data = newDirectory();
  }

  /** What the server's wall clock shows, milliseconds since 1970. */
  get nowMs(): number {
    return Date.now() + (this.#clock?.movedBy ?? 0) * 1_000;
  }

  /** Moves the wall clock of the running server forward, as if so much time had passed. */
  moveClock(seconds: number): void {
    if (!this.#clock) throw new Error("this server was started without a movable clock");
    this.#clock.move(seconds);
  }

  /** Ends it and deletes its data. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 5 });
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    return gone;
  }
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "konvert-e2e-"));
  directories.add(directory);
  return directory;
}

/**
 * A wall clock that a test can move, for the server alone: a small library, compiled here and loaded before all others,
 * adds the seconds that stand in a file to what the system tells. Monotonic time, by which timers run, is left alone.
 */
class Clock {
  readonly #file: string;
  readonly #library: string;
  movedBy = 0;

  constructor(directory: string) {
    this.#file = join(directory, "..", `${directory.split("/").at(-1)}-clock`);
    this.#library = `${this.#file}.so`;
    writeFileSync(this.#file, Buffer.alloc(8));
    const source = fileURLToPath(new URL("clock.c", import.meta.url));
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", this.#library, source]);
    process.on("exit", () => {
      for (const file of [this.#file, this.#library]) rmSync(file, { force: true });
    });
  }

  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, MOVED_CLOCK: this.#file };
  }

  move(seconds: number): void {
    this.movedBy += seconds;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.movedBy));
    const file = openSync(this.#file, "r+");
    writeSync(file, bytes, 0, 8, 0);
    closeSync(file);
  }
}
