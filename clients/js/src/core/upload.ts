// Files in pieces, by tus 1.0: an upload that breaks goes on where it stopped.
//
// Knows HTTP through `Api` only. Invariants: a piece is sent at the offset the server says it has; tries without
// progress are bounded and their pauses grow; whoever gives it up waits for nothing.
import type { Api, ApiError } from "./api.js";
import type { Abort } from "./emitter.js";
import type { KonvertError, sdkError } from "./errors.js";
import type { Platform, ResponseLike } from "./platform.js";

/** What is lent: this is loaded on demand, and importing it would split the rest into pieces. */
export interface UploadTools {
  readonly api: Api;
  readonly url: string;
  readonly platform: Platform;
  readonly fail: typeof sdkError;
  /** Text in base64. */
  base64(text: string): string;
}

/** Something with a length that can be cut: `Blob`, `File`, `Uint8Array`. */
export type UploadSource =
  | {
      /** Its length, bytes. */
      readonly size: number;
      /** A stretch of it, as `fetch` takes it. */
      slice(from: number, to: number): unknown;
    }
  | Uint8Array;

/** What may go with an upload. */
export interface UploadOptions {
  /** The file's name. */
  readonly name?: string;
  /** The file's media type. */
  readonly type?: string;
  /** More about the file: text by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The `path` of an upload that broke off: it goes on there. */
  readonly resume?: string;
  /** Bytes to a piece; progress is told after each. Default 1 MiB. */
  readonly chunkBytes?: number;
  /** Told what the server has, in bytes, of how many; and where, as soon as that is known. */
  readonly onProgress?: (progress: { readonly sentBytes: number; readonly totalBytes: number; readonly path: string }) => void;
  /** Gives it up; it can be resumed. */
  readonly signal?: Abort;
}

/** A finished upload. */
export interface Upload {
  /** The stored file's SHA-256 in lower-case hex: its name, for `blobs` of a message. Empty where the server does not tell. */
  readonly blob: string;
  /** Where it was uploaded to. */
  readonly path: string;
  /** Its length. */
  readonly sizeBytes: number;
}

/** What the server says of an upload; `blob` once it is complete. */
interface State {
  readonly offset: number;
  readonly blob: string;
}

const ROOT = "/api/blobs";
const CHUNK_BYTES = 1024 * 1024;
const TRIES_MAX = 8;
const VERSION = { "tus-resumable": "1.0.0" };

/** Uploads a file. @throws {KonvertError} `upload_failed`, `aborted`, or what the server refused it with */
export async function upload(tools: UploadTools, source: UploadSource, options: UploadOptions): Promise<Upload> {
  const { platform, fail } = tools;
  const total = source instanceof Uint8Array ? source.length : source.size;
  const { chunkBytes = CHUNK_BYTES, onProgress, signal } = options;
  const path = options.resume ?? (await create(tools, total, options));
  let { offset, blob } = options.resume ? await stateOf(tools, path, signal) : { offset: 0, blob: "" };
  let tries = 0;
  onProgress?.({ sentBytes: offset, totalBytes: total, path });
  while (offset < total) {
    try {
      const end = Math.min(offset + chunkBytes, total);
      const next = await send(tools, path, offset, source.slice(offset, end), signal);
      if (next.offset <= offset || next.offset > total) throw fail("upload_failed", "the server does not move on", true);
      ({ offset, blob } = next);
      tries = 0;
      onProgress?.({ sentBytes: offset, totalBytes: total, path });
    } catch (error) {
      if (!isWorthATry(error) || ++tries >= TRIES_MAX) throw error;
      const advice = (error as KonvertError).retryAfterMs;
      const pause = Math.max(advice, platform.random() * 500 * 2 ** tries);
      await rest(platform, pause, signal);
      // Without an answer nobody knows how much arrived: ask. Asking may fail just the same.
      ({ offset, blob } = await stateOf(tools, path, signal).catch(() => ({ offset, blob })));
    }
  }
  // An answer that did not come may have been the one with the name.
  if (!blob) ({ blob } = await stateOf(tools, path, signal));
  return { blob, path, sizeBytes: total };
}

function isWorthATry(error: unknown): boolean {
  const { name, temporary, status } = error as Partial<ApiError>;
  // 409: we disagree about the offset. 423: an earlier request still holds it.
  return name !== "aborted" && (temporary === true || status === 409 || status === 423);
}

/** Waits, until it is given up at the longest. */
function rest(platform: Platform, ms: number, signal?: Abort): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = platform.after(ms, end);
    signal?.addEventListener("abort", end);
  });
}

async function create(tools: UploadTools, total: number, { name, type, metadata, signal }: UploadOptions): Promise<string> {
  const { api, url, fail, base64 } = tools;
  const about = { ...(name ? { filename: name } : {}), ...(type ? { filetype: type } : {}), ...metadata };
  const pairs = Object.entries(about).map(([key, value]) => `${key} ${base64(value)}`);
  const headers: Record<string, string> = { ...VERSION, "upload-length": String(total) };
  if (pairs.length) headers["upload-metadata"] = pairs.join(",");
  const response = await api.raw("POST", ROOT, headers, undefined, signal);
  const location = response.headers.get("location") ?? "";
  // Elsewhere is nowhere: the token must not leave for another host.
  const path = location.startsWith(`${url}/`) ? location.slice(url.length) : location;
  if (!/^\/[^/]/.test(path)) throw fail("upload_failed", "the server does not say where to send it");
  return path;
}

async function stateOf(tools: UploadTools, path: string, signal?: Abort): Promise<State> {
  return stateIn(tools, await tools.api.raw("HEAD", path, VERSION, undefined, signal));
}

async function send(tools: UploadTools, path: string, offset: number, piece: unknown, signal?: Abort): Promise<State> {
  const headers = { ...VERSION, "content-type": "application/offset+octet-stream", "upload-offset": String(offset) };
  return stateIn(tools, await tools.api.raw("PATCH", path, headers, piece, signal));
}

function stateIn({ fail }: UploadTools, { headers }: ResponseLike): State {
  const offset = Number(headers.get("upload-offset") ?? Number.NaN);
  if (!Number.isSafeInteger(offset) || offset < 0) throw fail("upload_failed", "the server does not say how much it has");
  return { offset, blob: headers.get("konvert-blob") ?? "" };
}
