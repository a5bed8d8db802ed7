// What is remembered between two visits, in IndexedDB: one database per user.
//
// Owns the database. Invariants: it goes when its user signs out; where there is no IndexedDB nothing is remembered and
// nothing else suffers.
import type { MemoryShelf } from "../model/memory";
import type { PictureShelf } from "../model/pictures";

const VALUES = "values";
const TIMES = "times";
const PICTURES = "pictures";

export class Shelf implements MemoryShelf {
  readonly #name: string;
  #db: Promise<IDBDatabase> | null = null;

  constructor(user: string) {
    this.#name = `konvert.memory ${user}`;
  }

  /** The part of it where pictures are. */
  readonly pictures: PictureShelf = {
    get: async (hash) => {
      const held: unknown = await this.#in(PICTURES, "readonly", (store) => store.get(hash));
      return held instanceof Blob ? held : undefined;
    },
    put: async (hash, picture) => {
      await this.#in(PICTURES, "readwrite", (store) => store.put(picture, hash));
    },
  };

  async get(name: string): Promise<unknown> {
    return ((await this.#in(VALUES, "readonly", (store) => store.get(name))) as { value?: unknown } | undefined)?.value;
  }

  async put(name: string, value: unknown): Promise<void> {
    await this.#in(VALUES, "readwrite", (store) => store.put({ name, value, time: Date.now() }));
  }

  async names(prefix: string): Promise<readonly string[]> {
    const keys = await this.#in(VALUES, "readonly", (store) => store.index(TIMES).getAllKeys());
    return keys.filter((key): key is string => typeof key === "string" && key.startsWith(prefix));
  }

  async delete(name: string): Promise<void> {
    await this.#in(VALUES, "readwrite", (store) => store.delete(name));
  }

  /** Forgets everything of this user. */
  async forget(): Promise<void> {
    const db = await this.#db?.catch(() => null);
    db?.close();
    this.#db = null;
    globalThis.indexedDB?.deleteDatabase(this.#name);
  }

  async #in<Value>(store: string, mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<Value>): Promise<Value> {
    this.#db ??= this.#open();
    const db = await this.#db;
    return new Promise((resolve, reject) => {
      const request = work(db.transaction(store, mode).objectStore(store));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  #open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(VALUES, { keyPath: "name" }).createIndex(TIMES, "time");
        request.result.createObjectStore(PICTURES);
      };
      request.onsuccess = () => {
        // Another tab signs out: nothing may hold it up.
        request.result.onversionchange = () => {
          request.result.close();
          this.#db = null;
        };
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    });
  }
}
