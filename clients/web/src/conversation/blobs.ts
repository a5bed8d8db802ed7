// Stored files as this page can show them: fetched with our token, kept as `blob:` addresses.
//
// Invariants: one file is fetched once, however many messages show it; an address is given back when nobody shows the
// file and others have been shown since.
import type { Api, ApiError } from "@konvert/sdk";
import { segment } from "../model/resources";

export interface BlobInfo {
  readonly id: string;
  readonly size_bytes: number;
  readonly type: string;
}

/** Addresses that nobody uses now are kept for going back to them. */
const IDLE_MAX = 40;

/**
 * A message is told a moment before the server opens its files to those who read it: what is not there yet is asked for
 * again after these pauses.
 */
const OPENING_MS = [250, 1_000, 3_000];

interface Held {
  readonly url: Promise<string>;
  users: number;
}

export class Blobs {
  readonly #api: Api;
  readonly #infos = new Map<string, Promise<BlobInfo>>();
  /** Least recently used first. */
  readonly #held = new Map<string, Held>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** What the server knows of a file. */
  info(blob: string): Promise<BlobInfo> {
    let info = this.#infos.get(blob);
    if (!info) {
      info = this.#ask(blob);
      this.#infos.set(blob, info);
      info.catch(() => this.#infos.delete(blob));
    }
    return info;
  }

  /** An address for as long as it is not given back by `release`. */
  hold(blob: string): Promise<string> {
    const held = this.#held.get(blob) ?? { url: this.#fetch(blob), users: 0 };
    held.users++;
    this.#held.delete(blob);
    this.#held.set(blob, held);
    held.url.catch(() => {
      if (this.#held.get(blob) === held) this.#held.delete(blob);
    });
    return held.url;
  }

  release(blob: string): void {
    const held = this.#held.get(blob);
    if (!held) return;
    held.users--;
    let idle = 0;
    for (const { users } of this.#held.values()) if (!users) idle++;
    for (const [name, { users, url }] of this.#held) {
      if (idle <= IDLE_MAX) break;
      if (users) continue;
      this.#held.delete(name);
      url.then((address) => URL.revokeObjectURL(address)).catch(() => {});
      idle--;
    }
  }

  /** Gives all of them back. */
  close(): void {
    for (const { url } of this.#held.values()) url.then((address) => URL.revokeObjectURL(address)).catch(() => {});
    this.#held.clear();
  }

  async #ask(blob: string): Promise<BlobInfo> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#api.get<BlobInfo>(`/api/blobs/${segment(blob)}/info`);
      } catch (error) {
        const pauseMs = OPENING_MS[tries];
        if (!pauseMs || (error as Partial<ApiError>).status !== 404) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async #fetch(blob: string): Promise<string> {
    // Which waits until the server has opened it.
    await this.info(blob);
    const response = await this.#api.raw("GET", `/api/blobs/${segment(blob)}`, {}, undefined);
    // In a page it is the browser's own.
    return URL.createObjectURL(await (response as unknown as Response).blob());
  }
}

const caches = new WeakMap<Api, Blobs>();

/** The cache of whoever is signed in. */
export function blobsOf(api: Api): Blobs {
  let blobs = caches.get(api);
  if (!blobs) caches.set(api, (blobs = new Blobs(api)));
  return blobs;
}
