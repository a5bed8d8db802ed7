// What is being written in a conversation besides its text: what it answers, what it says anew, the files that go with it.
//
// Owns uploads from being chosen to being sent. Knows no DOM but `File`. Invariants: a file is uploaded once, and goes
// on where it stopped when the connection breaks; nothing is sent before all of its files are there.
import { type Konvert, KonvertError } from "@konvert/sdk";
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Shown } from "./shown";
import { nameOf, type ShownFile } from "./shown_files";

/** As many files as one message may name. */
export const FILES_MAX = 16;

export type FileState =
  | { readonly at: "uploading"; readonly sentBytes: number }
  /** `isLasting`: trying again is of no use. */
  | { readonly at: "failed"; readonly error: KonvertError; readonly isLasting: boolean }
  | { readonly at: "done"; readonly blob: string };

/** A file that is to go with the next message. */
export interface Attachment {
  readonly id: number;
  readonly file: File;
  readonly name: string;
  /** Of a picture, pixels; zero while that is not known. */
  width: number;
  height: number;
  readonly state: Signal<FileState>;
}

interface Upload {
  abort: AbortController;
  /** Where it goes on. */
  path: string;
}

export class Desk {
  readonly #konvert: Konvert;
  readonly #files = signal<readonly Attachment[]>([]);
  readonly #uploads = new Map<number, Upload>();
  readonly #off: () => void;
  #next = 1;

  readonly #reply = signal<Shown | null>(null);
  readonly #edit = signal<Shown | null>(null);
  /** There were more files than go with one message. */
  readonly isTooMany = signal(false);
  /** Why the files cannot go now: some are on their way, or will never be there. `null` when nothing is in the way. */
  readonly hindrance: ReadonlySignal<"uploading" | "refused" | null> = computed(() => {
    const states = this.#files.value.map(({ state }) => state.value);
    if (states.some((state) => state.at === "failed" && state.isLasting)) return "refused";
    return states.every(({ at }) => at === "done") ? null : "uploading";
  });

  constructor(konvert: Konvert) {
    this.#konvert = konvert;
    this.#off = konvert.on("state", ({ name }) => {
      if (name !== "connected") return;
      for (const attachment of this.#files.peek()) {
        const state = attachment.state.peek();
        if (state.at === "failed" && !state.isLasting) this.upload(attachment);
      }
    });
  }

  /** The message that the next one answers. */
  get reply(): ReadonlySignal<Shown | null> {
    return this.#reply;
  }
  /** The message that is said anew. */
  get edit(): ReadonlySignal<Shown | null> {
    return this.#edit;
  }

  /** The next message answers this one. */
  answer(shown: Shown): void {
    this.#edit.value = null;
    this.#reply.value = shown;
  }

  /** This message is said anew. */
  change(shown: Shown): void {
    this.#edit.value = shown;
  }

  /** Neither; whether there was anything to stop. */
  stop(): boolean {
    const was = this.#edit.peek() ?? this.#reply.peek();
    if (this.#edit.peek()) this.#edit.value = null;
    else this.#reply.value = null;
    return !!was;
  }

  get files(): ReadonlySignal<readonly Attachment[]> {
    return this.#files;
  }

  /** Takes files; those beyond what one message may carry are left out, and that is told. */
  add(files: readonly File[]): readonly Attachment[] {
    const room = FILES_MAX - this.#files.peek().length;
    this.isTooMany.value = files.length > room;
    const added = files.slice(0, Math.max(0, room)).map((file) => {
      const state = signal<FileState>({ at: "uploading", sentBytes: 0 });
      const attachment: Attachment = { id: this.#next++, file, name: nameOf(file.name) || "?", width: 0, height: 0, state };
      return attachment;
    });
    this.#files.value = [...this.#files.peek(), ...added];
    for (const attachment of added) this.upload(attachment);
    return added;
  }

  /** Leaves a file out. */
  remove({ id }: Attachment): void {
    this.#uploads.get(id)?.abort.abort();
    this.#uploads.delete(id);
    this.#files.value = this.#files.peek().filter((one) => one.id !== id);
    this.isTooMany.value = false;
  }

  /** Uploads a file, or goes on with it. */
  upload(attachment: Attachment): void {
    const { id, file, state } = attachment;
    // No server keeps nothing.
    if (!file.size) {
      state.value = { at: "failed", error: new KonvertError({ code: 1008, name: "empty_file" }), isLasting: true };
      return;
    }
    const upload: Upload = { abort: new AbortController(), path: this.#uploads.get(id)?.path ?? "" };
    this.#uploads.set(id, upload);
    state.value = { at: "uploading", sentBytes: 0 };
    const done = this.#konvert.upload(file, {
      name: attachment.name,
      type: file.type,
      signal: upload.abort.signal,
      ...(upload.path ? { resume: upload.path } : {}),
      onProgress: ({ sentBytes, path }) => {
        upload.path = path;
        if (!upload.abort.signal.aborted) state.value = { at: "uploading", sentBytes };
      },
    });
    done.then(
      ({ blob }) => {
        state.value = { at: "done", blob };
      },
      (error: KonvertError) => {
        if (upload.abort.signal.aborted) return;
        // An upload that the server has given up begins anew.
        if (error.name === "not_found") upload.path = "";
        state.value = {
          at: "failed",
          error,
          isLasting: error.name === "quota_exceeded" || (!error.temporary && error.name !== "not_found"),
        };
      },
    );
  }

  /** The files for a message that is sent now, in their order; the desk is cleared of them. */
  take(): readonly ShownFile[] {
    const files = this.#files.peek().flatMap(({ name, width, height, state }): ShownFile[] => {
      const now = state.peek();
      return now.at === "done" ? [{ blob: now.blob, name, width, height }] : [];
    });
    this.#files.value = [];
    this.#uploads.clear();
    this.isTooMany.value = false;
    return files;
  }

  close(): void {
    this.#off();
    for (const { abort } of this.#uploads.values()) abort.abort();
  }
}
