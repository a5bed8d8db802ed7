// The real server as a child process: on a free port, with data of its own, killed and restarted at will.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const BINARY = process.env.KONVERT_BIN ?? new URL("../../../../target/release/konvert", import.meta.url).pathname;
export const hasServer = existsSync(BINARY);

export class Server {
  readonly data = mkdtempSync(join(tmpdir(), "konvert-sdk-"));
  readonly #env: Record<string, string>;
  #child: ChildProcess | null = null;
  #port = 0;

  private constructor(env: Record<string, string>) {
    this.#env = env;
  }

  /** Starts one; `env` holds settings as `KONVERT_SECTION__KEY`. */
  static async start(env: Record<string, string> = {}): Promise<Server> {
    const server = new Server(env);
    await server.#spawn();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** A token with every right in the rooms that `grant` names. */
  token(user: string, grant = "*=all", ttl = "1h"): string {
    const args = ["token", "--data", this.data, "--user", user, "--name", user, "--grant", grant, "--ttl", ttl];
    return execFileSync(BINARY, args, { encoding: "utf8" }).trim();
  }

  /** How much has been written of each upload that is not finished, bytes. */
  staged(): number[] {
    const directory = join(this.data, "blobs", "staging");
    return readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  }

  /** Ends it without a word, as a crash does. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  /** Starts it again, on the same port with the same data. */
  async restart(): Promise<void> {
    await this.#spawn();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.data, { recursive: true, force: true, maxRetries: 5 });
  }

  async #spawn(): Promise<void> {
    const args = ["serve", "--bind", "127.0.0.1", "--port", String(this.#port), "--data", this.data];
    const child = spawn(BINARY, args, { env: { ...process.env, ...this.#env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let said = "";
    const found = new Promise<void>((resolve, reject) => {
      const read = (text: Buffer) => {
        said += text;
        const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
        if (!port || Number(port) === 0) return;
        this.#port = Number(port);
        resolve();
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
    });
    await found;
    await until(async () => (await fetch(`${this.url}/api/health`).catch(() => null))?.ok === true, "the server is ready");
  }
}

/** Waits for a condition, with a deadline. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
