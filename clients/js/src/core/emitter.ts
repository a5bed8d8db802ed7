// Typed events. Owns listeners; knows nothing of what is told.
//
// Invariant: a listener that throws harms neither the others nor the one who tells; its error is thrown again where
// the platform reports uncaught ones.

/** What ends something early: `AbortSignal`, or anything of its shape. */
export interface Abort {
  /** Whether it has been ended. */
  readonly aborted: boolean;
  /** Calls back when it ends. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Calls back no more. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Something that tells events; the names and what they carry are in `Events`. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /**
   * Calls the listener at every such event.
   * @returns what takes it off again
   */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void, options: { signal?: Abort } = {}): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    // A wrapper of its own: the same function may be put on twice and taken off once.
    const entry = (value: never) => listener(value as Events[Name]);
    const off = () => {
      listeners.delete(entry);
      options.signal?.removeEventListener("abort", off);
    };
    if (options.signal?.aborted) return off;
    listeners.add(entry);
    options.signal?.addEventListener("abort", off);
    return off;
  }

  /** Waits for the next such event, or the next that `accept` takes. */
  once<Name extends keyof Events>(name: Name, accept: (value: Events[Name]) => boolean = () => true): Promise<Events[Name]> {
    return new Promise((resolve) => {
      const off = this.on(name, (value) => {
        if (!accept(value)) return;
        off();
        resolve(value);
      });
    });
  }

  /** Tells an event. For the SDK itself. @internal */
  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(value as never);
      } catch (error) {
        Promise.reject(error);
      }
    }
  }
}

/** Calls back once when it ends, also if it has ended already; the result takes the listener off. */
export function onAbort(signal: Abort | undefined, listener: () => void): () => void {
  if (signal?.aborted) listener();
  else signal?.addEventListener("abort", listener);
  return () => signal?.removeEventListener("abort", listener);
}
