// A browser with tabs: Web Locks and BroadcastChannels between them, and a way to end a tab without a word.
import type { BusLike, LocksLike } from "../../src/tabs/locks.js";

interface Request {
  readonly tab: Tab;
  readonly name: string;
  readonly hold: (lock: unknown) => Promise<void>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Browser {
  readonly buses = new Set<{ name: string; tab: Tab; bus: BusLike }>();
  readonly #held = new Map<string, Request>();
  readonly #queues = new Map<string, Request[]>();

  tab(): Tab {
    return new Tab(this);
  }

  request(tab: Tab, name: string, options: { ifAvailable?: boolean; steal?: boolean; signal?: AbortSignal }, hold: Request["hold"]) {
    return new Promise((resolve, reject) => {
      const request: Request = { tab, name, hold, resolve, reject };
      if (options.steal) {
        const holder = this.#held.get(name);
        holder?.tab.run(() => holder.reject(new DOMException("stolen", "AbortError")));
        return this.#grant(request);
      }
      if (!this.#held.has(name)) return this.#grant(request);
      if (options.ifAvailable) return void hold(null).then(resolve, reject);
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, [...queue, request]);
      options.signal?.addEventListener("abort", () => {
        this.#queues.set(
          name,
          (this.#queues.get(name) ?? []).filter((one) => one !== request),
        );
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  }

  killed(tab: Tab): void {
    for (const entry of this.buses) if (entry.tab === tab) this.buses.delete(entry);
    for (const [name, queue] of this.#queues)
      this.#queues.set(
        name,
        queue.filter((request) => request.tab !== tab),
      );
    for (const request of [...this.#held.values()]) if (request.tab === tab) this.#free(request);
  }

  #grant(request: Request): void {
    this.#held.set(request.name, request);
    Promise.resolve().then(() => {
      if (request.tab.isDead) return;
      request.hold({}).then(
        () => {
          this.#free(request);
          request.resolve(undefined);
        },
        (error) => {
          this.#free(request);
          request.reject(error);
        },
      );
    });
  }

  #free(request: Request): void {
    if (this.#held.get(request.name) !== request) return;
    this.#held.delete(request.name);
    const [next, ...others] = this.#queues.get(request.name) ?? [];
    this.#queues.set(request.name, others);
    if (next) this.#grant(next);
  }
}

export class Tab {
  isDead = false;
  /** While the browser has put it to sleep: what waits to be done in it. It holds the locks it holds. */
  #asleep: (() => void)[] | null = null;
  readonly locks: LocksLike;

  constructor(readonly browser: Browser) {
    this.locks = { request: (name, options, hold) => browser.request(this, name, options, hold) };
  }

  freeze(): void {
    this.#asleep = [];
  }

  thaw(): void {
    const waiting = this.#asleep ?? [];
    this.#asleep = null;
    for (const call of waiting) call();
  }

  /** Runs something in this tab, now or when it wakes. */
  run(call: () => void): void {
    if (this.isDead) return;
    if (this.#asleep) this.#asleep.push(call);
    else call();
  }

  bus = (name: string): BusLike => {
    const bus: BusLike = {
      onmessage: null,
      postMessage: (message) => {
        if (this.isDead) return;
        const copy = structuredClone(message);
        for (const entry of this.browser.buses) {
          if (entry.name !== name || entry.bus === bus) continue;
          Promise.resolve().then(() => entry.tab.run(() => entry.bus.onmessage?.({ data: copy } as MessageEvent)));
        }
      },
      close: () => {
        for (const entry of this.browser.buses) if (entry.bus === bus) this.browser.buses.delete(entry);
      },
    };
    this.browser.buses.add({ name, tab: this, bus });
    return bus;
  };

  /** Ends it as a crash does. */
  kill(): void {
    this.isDead = true;
    this.browser.killed(this);
  }
}
