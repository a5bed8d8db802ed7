// Pictures that only a signed-in request gets: fetched once, shown from memory.
//
// Invariants: one request per picture; an address that is given out holds for as long as the app runs in this tab,
// because the number of faces one sees is small and a picture that goes away would be a hole in the page.
import type { Api } from "@konvert/sdk";
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";

/** Where pictures lie between two visits. */
export interface PictureShelf {
  get(hash: string): Promise<Blob | undefined>;
  put(hash: string, picture: Blob): Promise<void>;
}

/** Larger ones are no faces, and are not kept for the next visit, bytes. */
const KEPT_MAX_BYTES = 256 * 1024;

export class Pictures {
  readonly #api: Api;
  readonly #shelf: PictureShelf | undefined;
  readonly #known = new Map<string, Signal<string | null>>();

  constructor(api: Api, shelf?: PictureShelf) {
    this.#api = api;
    this.#shelf = shelf;
  }

  /** Address of a stored picture; `null` until it is here. */
  get(hash: string): ReadonlySignal<string | null> {
    let address = this.#known.get(hash);
    if (!address) {
      this.#known.set(hash, (address = signal(null)));
      void this.#load(hash, address);
    }
    return address;
  }

  async #load(hash: string, address: Signal<string | null>): Promise<void> {
    try {
      address.value = URL.createObjectURL((await this.#shelf?.get(hash).catch(() => undefined)) ?? (await this.#ask(hash)));
    } catch {
      // Letters do; whoever draws this face the next time asks again.
      this.#known.delete(hash);
    }
  }

  async #ask(hash: string): Promise<Blob> {
    const response = (await this.#api.raw("GET", `/api/blobs/${hash}`, {}, undefined)) as unknown as Response;
    const picture = await response.blob();
    if (picture.size <= KEPT_MAX_BYTES) await this.#shelf?.put(hash, picture).catch(() => {});
    return picture;
  }
}
