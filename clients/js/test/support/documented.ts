// Commands as a head or a guide has them, run as they stand by a shell: `konvert` is the server under test, and the
// ports of a document, which may be taken here, are the only thing that is replaced.
//
// Owns the shells it starts, each a process group of its own, so that what a shell started ends with it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "./server.js";

/** The commands at the head of a file: its comment's lines that are set in. */
export function commandsOf(path: string): string[] {
  const head = readFileSync(path, "utf8").split(/^(?!\/\/)/m)[0] ?? "";
  return [...head.matchAll(/^\/\/ {3}(\S.*)$/gm)].map(([, command = ""]) => command);
}

/** A command that was started, and what it has said. */
export interface Running {
  readonly said: () => string;
  /** Settled with its exit code, which is `null` for one that was killed. */
  readonly ended: Promise<number | null>;
  kill(): Promise<unknown>;
}

export class Shell {
  readonly #cwd: string;
  readonly #env: Record<string, string>;
  readonly #programs = mkdtempSync(join(tmpdir(), "konvert-programs-"));
  readonly #running = new Set<Running>();

  constructor(cwd: string, env: Record<string, string> = {}) {
    this.#cwd = cwd;
    symlinkSync(BINARY, join(this.#programs, "konvert"));
    this.#env = { ...env, PATH: `${this.#programs}:${process.env.PATH}` };
  }

  run(command: string): Running {
    const child = spawn("sh", ["-c", command], {
      cwd: this.#cwd,
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (said += text));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const running: Running = { said: () => said, ended, kill: () => this.#kill(child, ended) };
    this.#running.add(running);
    void ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Ends everything that was started here. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.kill()));
    rmSync(this.#programs, { recursive: true, force: true });
  }

  #kill(child: ChildProcess, ended: Promise<unknown>): Promise<unknown> {
    if (child.pid && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
    return ended;
  }
}
