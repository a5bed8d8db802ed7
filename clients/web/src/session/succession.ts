// What became of the refresh token that was presented last, in IndexedDB.
//
// `localStorage` reaches another tab some time after it was written, and a lock may be there before it: whoever holds the
// lock could present a token that has been replaced already. A transaction here sees every one that has ended, whichever
// tab it was of. Invariants: knows the last step only; where there is no IndexedDB it knows nothing, and nothing else
// suffers.
import type { Held } from "./tokens";

/** Remembers by what a refresh token was replaced. */
export interface Succession {
  /** What replaced the token; `null` when it is not known to have been replaced. */
  after(refresh: string): Promise<Held | null>;
  /** Settled when every tab can know it. */
  note(refresh: string, next: Held): Promise<void>;
  forget(): Promise<void>;
}

const NAME = "konvert.session";
const STEPS = "steps";
/** The only key: one browser has one sign-in. */
const LAST = "last";

interface Step {
  readonly refresh: string;
  readonly next: Held;
}

/** The one of this browser. */
export const succession: Succession = {
  async after(refresh) {
    const step = (await within("readonly", (store) => store.get(LAST))) as Step | undefined;
    return step?.refresh === refresh ? step.next : null;
  },
  async note(refresh, next) {
    await within("readwrite", (store) => store.put({ refresh, next } satisfies Step, LAST));
  },
  async forget() {
    await within("readwrite", (store) => store.delete(LAST));
  },
};

/** Opened anew each time: it is needed a few times an hour, and an open one would hold up who clears the site's data. */
async function within<Value>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<Value>): Promise<Value | undefined> {
  const db = await open().catch(() => null);
  if (!db) return undefined;
  try {
    return await new Promise<Value>((resolve, reject) => {
      const transaction = db.transaction(STEPS, mode);
      const request = work(transaction.objectStore(STEPS));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STEPS);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
