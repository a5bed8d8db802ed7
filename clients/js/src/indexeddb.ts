// The outbox in IndexedDB: what a visitor has written outlives a closed tab, a crash, a dead battery.
//
// Owns one database per name. Knows nothing of sending. Invariants: a message belongs to one tab at a time; another
// takes it over only when that tab is gone, which a Web Lock tells (where there are none, at the start of the next).
import type { Store, StoredMessage } from "./core/store.js";
import type { LocksLike } from "./tabs/locks.js";

/** How to keep an outbox in IndexedDB. */
export interface IndexedDbOptions {
  /** Name of the database. Default `konvert`. Users who share a browser may share it: nothing is sent as somebody else. */
  readonly name?: string;
  /** Default: the page's own. */
  readonly indexedDB?: IDBFactory;
  /** Default: the page's own, where it has them. */
  readonly locks?: LocksLike;
}

/** As it lies in the database. */
interface Held extends StoredMessage {
  readonly owner: string;
  /** Order among those written in the same millisecond. */
  readonly number: number;
}

const MESSAGES = "messages";
const VALUES = "values";

/** Keeps the outbox in IndexedDB. */
export class IndexedDbStore implements Store {
  readonly #name: string;
  readonly #factory: IDBFactory | undefined;
  readonly #locks: LocksLike | undefined;
  readonly #owner = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(36)).join("");
  #db: Promise<IDBDatabase> | null = null;
  #release: () => void = () => {};
  #number = 0;
  #isFirst = true;

  /** Opens nothing yet. */
  constructor(options: IndexedDbOptions = {}) {
    this.#name = options.name ?? "konvert";
    this.#factory = options.indexedDB ?? (globalThis as { indexedDB?: IDBFactory }).indexedDB;
    this.#locks = options.locks ?? (globalThis.navigator as { locks?: LocksLike } | undefined)?.locks;
  }

  /** Messages of tabs that are gone, oldest first; from now on they are ours. */
  async load(): Promise<readonly StoredMessage[]> {
    const db = await this.#open();
    const all: Held[] = await settled(db.transaction(MESSAGES).objectStore(MESSAGES).getAll());
    const owners = new Set(all.map(({ owner }) => owner).filter((owner) => owner !== this.#owner));
    const adopted: Held[] = [];
    for (const owner of owners) {
      const adopt = async () => void adopted.push(...(await this.#adopt(db, owner)));
      if (this.#locks) await this.#locks.request(this.#lock(owner), { ifAvailable: true }, async (lock) => void (lock && (await adopt())));
      else if (this.#isFirst) await adopt();
    }
    this.#isFirst = false;
    return adopted
      .sort((a, b) => a.createdMs - b.createdMs || a.number - b.number)
      .map(({ owner: _owner, number: _number, ...message }) => message);
  }

  /** Keeps a message. */
  async put(message: StoredMessage): Promise<void> {
    const db = await this.#open();
    const messages = db.transaction(MESSAGES, "readwrite").objectStore(MESSAGES);
    const known: Held | undefined = await settled(messages.get(message.key));
    const held: Held = { ...message, owner: this.#owner, number: known?.number ?? ++this.#number };
    await settled(messages.put(held));
  }

  /** Forgets a message. */
  async remove(key: string): Promise<void> {
    const db = await this.#open();
    await settled(db.transaction(MESSAGES, "readwrite").objectStore(MESSAGES).delete(key));
  }

  /** A small value. */
  async get(name: string): Promise<string | undefined> {
    const db = await this.#open();
    return settled(db.transaction(VALUES).objectStore(VALUES).get(name));
  }

  /** Keeps a small value. */
  async set(name: string, value: string): Promise<void> {
    const db = await this.#open();
    await settled(db.transaction(VALUES, "readwrite").objectStore(VALUES).put(value, name));
  }

  /** Lets others take over what is left. */
  close(): void {
    const db = this.#db;
    this.#db = null;
    this.#release();
    void db?.then((open) => open.close()).catch(() => {});
  }

  async #adopt(db: IDBDatabase, owner: string): Promise<Held[]> {
    const messages = db.transaction(MESSAGES, "readwrite").objectStore(MESSAGES);
    const all: Held[] = await settled(messages.getAll());
    const left = all.filter((message) => message.owner === owner);
    for (const message of left) await settled(messages.put({ ...message, owner: this.#owner }));
    return left;
  }

  #open(): Promise<IDBDatabase> {
    this.#db ??= this.#openOnce();
    // Storage that was refused may be allowed later.
    this.#db.catch(() => {
      this.#db = null;
    });
    return this.#db;
  }

  async #openOnce(): Promise<IDBDatabase> {
    if (!this.#factory) throw new Error("there is no IndexedDB here");
    const request = this.#factory.open(`${this.#name} outbox`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(MESSAGES, { keyPath: "key" });
      request.result.createObjectStore(VALUES);
    };
    const db = await settled(request);
    // A newer version in another tab must not wait for us.
    db.onversionchange = () => db.close();
    await this.#live();
    return db;
  }

  /** Holds our lock for as long as we live. */
  #live(): Promise<void> {
    const locks = this.#locks;
    if (!locks) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const held = locks.request(this.#lock(this.#owner), {}, () => {
        resolve();
        return new Promise<void>((release) => {
          this.#release = release;
        });
      });
      held.catch(reject);
    });
  }

  #lock = (owner: string) => `${this.#name} outbox ${owner}`;
}

function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
