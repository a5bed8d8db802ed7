// The outbox in a file, for programs that must not forget what they said they would send.
//
// One line of JSON per change, appended and synced; rewritten when most of it is history. Invariants: what `put` has
// settled survives a crash and a loss of power; a last line that was cut off is ignored; one process per file.
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Store, StoredMessage } from "../core/store.js";

/** The file is rewritten when it has so many more lines than it needs. */
const SPARE_LINES_MAX = 1_000;

type Line = { put: Omit<StoredMessage, "payload"> & { payload: string } } | { remove: string } | { set: [string, string] };

/** Keeps the outbox in a file. */
export class FileStore implements Store {
  readonly #path: string;
  readonly #messages = new Map<string, StoredMessage>();
  readonly #values = new Map<string, string>();
  #file: Promise<FileHandle> | null = null;
  #lines = 0;
  #work: Promise<unknown> = Promise.resolve();
  #wasLoaded = false;

  /** @param path of the file; it and its directory are made when needed. No other process may use it meanwhile. */
  constructor(path: string) {
    this.#path = path;
  }

  /** What the file holds, once: afterwards the outbox has it. */
  async load(): Promise<readonly StoredMessage[]> {
    await this.#queue(async () => {});
    if (this.#wasLoaded) return [];
    this.#wasLoaded = true;
    return [...this.#messages.values()];
  }

  /** Keeps a message; settled when it is on disk. */
  put(message: StoredMessage): Promise<void> {
    return this.#queue(async (file) => {
      this.#messages.set(message.key, message);
      await this.#append(file, { put: { ...message, payload: Buffer.from(message.payload).toString("base64") } });
    });
  }

  /** Forgets a message. */
  remove(key: string): Promise<void> {
    return this.#queue(async (file) => {
      if (this.#messages.delete(key)) await this.#append(file, { remove: key });
    });
  }

  /** A small value. */
  async get(name: string): Promise<string | undefined> {
    await this.#queue(async () => {});
    return this.#values.get(name);
  }

  /** Keeps a small value. */
  set(name: string, value: string): Promise<void> {
    return this.#queue(async (file) => {
      this.#values.set(name, value);
      await this.#append(file, { set: [name, value] });
    });
  }

  /** Closes the file. */
  close(): void {
    const file = this.#file;
    this.#file = null;
    void this.#work.then(async () => (await file)?.close()).catch(() => {});
  }

  /** One after the other, on the open file. */
  #queue<Result>(work: (file: FileHandle) => Promise<Result>): Promise<Result> {
    const done = this.#work.then(async () => work(await (this.#file ??= this.#open())));
    this.#work = done.catch(() => {});
    return done;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true });
    const text = await readFile(this.#path, "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    this.#messages.clear();
    for (const line of text.split("\n")) this.#replay(line);
    return this.#rewrite();
  }

  #replay(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text);
    } catch {
      // Cut off by a crash: it had not been promised.
      return;
    }
    if ("put" in line) this.#messages.set(line.put.key, { ...line.put, payload: Uint8Array.from(Buffer.from(line.put.payload, "base64")) });
    else if ("remove" in line) this.#messages.delete(line.remove);
    else this.#values.set(...line.set);
  }

  /** A new file with what is still needed, in place of the old one at once. */
  async #rewrite(): Promise<FileHandle> {
    const lines: Line[] = [...this.#values].map((pair) => ({ set: pair }));
    for (const message of this.#messages.values()) {
      lines.push({ put: { ...message, payload: Buffer.from(message.payload).toString("base64") } });
    }
    const fresh = `${this.#path}.new`;
    const file = await open(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND, 0o600);
    await file.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await file.datasync();
    await rename(fresh, this.#path);
    this.#lines = lines.length;
    return file;
  }

  async #append(file: FileHandle, line: Line): Promise<void> {
    await file.write(`${JSON.stringify(line)}\n`);
    await file.datasync();
    if (++this.#lines <= this.#messages.size + this.#values.size + SPARE_LINES_MAX) return;
    this.#file = this.#rewrite();
    await this.#file;
    await file.close();
  }
}
