// Web Locks and BroadcastChannel as far as they are used. No code.

/** `navigator.locks` as far as it is used. */
export interface LocksLike {
  /** Calls back while it holds the lock; `null` when `ifAvailable` was asked for and it is not. */
  request(
    name: string,
    options: { ifAvailable?: boolean; steal?: boolean; signal?: AbortSignal },
    hold: (lock: unknown) => Promise<void>,
  ): Promise<unknown>;
}

/** `BroadcastChannel` as far as it is used. */
export interface BusLike {
  /** A message of another tab. */
  onmessage: ((event: MessageEvent) => void) | null;
  /** Says something to all other tabs. */
  postMessage(message: unknown): void;
  /** Hears nothing any more. */
  close(): void;
}
