// Which transport to use: WebSocket where it works, HTTP where it does not, and back up as soon as it does again.
//
// A transport made of transports; knows nothing of what travels. Invariants: a rung that worked before is left only
// after failing three times in a row; the way up is tried with growing pauses, beside a connection that works.
import { CLOSE } from "./errors.js";
import type { Platform } from "./platform.js";
import type { Channel, ChannelEvents, Transport } from "./transport.js";

const FAILURES_MAX = 3;
const CLIMB_MS = 30_000;
const CLIMB_MAX_MS = 600_000;

export class Ladder implements Transport {
  readonly usable = true;
  readonly #rungs: readonly Transport[];
  readonly #platform: Platform;
  #at = 0;
  #failures = 0;
  #worked = new Set<Transport>();
  #climbMs = CLIMB_MS;
  #stopClimbing: () => void = () => {};

  constructor(rungs: readonly Transport[], platform: Platform) {
    this.#rungs = rungs.filter((rung) => rung.usable);
    this.#platform = platform;
    if (!this.#rungs.length) throw new TypeError("There is neither WebSocket nor fetch here: pass one as options.platform.");
  }

  get name(): string {
    return this.#rung.name;
  }

  get #rung(): Transport {
    return this.#rungs[this.#at] as Transport;
  }

  open(events: ChannelEvents): Channel {
    this.#stopClimbing();
    const rung = this.#rung;
    let hasWorked = false;
    const channel = rung.open({
      ...events,
      onFrames: (frames) => {
        if (!hasWorked) {
          hasWorked = true;
          this.#works(rung, events, channel);
        }
        events.onFrames(frames);
      },
      onClose: (code, reason, retryAfterMs) => {
        this.#stopClimbing();
        if (!hasWorked) this.#failed(rung);
        events.onClose(code, reason, retryAfterMs);
      },
    });
    return {
      send: (frames, limits) => channel.send(frames, limits),
      close: (code, reason) => {
        this.#stopClimbing();
        // Given up before a word came: the same as failed, unless the application did not want it any more.
        if (!hasWorked && code !== CLOSE.closed_by_app) this.#failed(rung);
        channel.close(code, reason);
      },
      get waitingBytes() {
        return channel.waitingBytes;
      },
    };
  }

  dispose(): void {
    this.#stopClimbing();
  }

  #works(rung: Transport, events: ChannelEvents, channel: Channel): void {
    this.#failures = 0;
    this.#worked.add(rung);
    if (this.#at === 0) this.#climbMs = CLIMB_MS;
    else this.#climb(events, channel);
  }

  #failed(rung: Transport): void {
    if (rung !== this.#rung) return;
    this.#failures++;
    if (this.#worked.has(rung) && this.#failures < FAILURES_MAX) return;
    this.#failures = 0;
    this.#worked.delete(rung);
    this.#at = (this.#at + 1) % this.#rungs.length;
  }

  /** Tries the first rung now and then; when its handshake succeeds, the connection is made there anew. */
  #climb(events: ChannelEvents, channel: Channel): void {
    this.#stopClimbing();
    const wait = this.#climbMs * (0.5 + this.#platform.random());
    this.#climbMs = Math.min(this.#climbMs * 2, CLIMB_MAX_MS);
    let trial: Channel | undefined;
    const giveUp = () => {
      trial?.close(CLOSE.switching, "");
      this.#climb(events, channel);
    };
    let cancel = this.#platform.after(wait, () => {
      cancel = this.#platform.after(10_000, giveUp);
      trial = (this.#rungs[0] as Transport).open({
        onFrames: () => {},
        onClose: () => this.#climb(events, channel),
        onOpen: () => {
          this.#stopClimbing();
          this.#at = 0;
          channel.close(CLOSE.switching, "a better transport works again");
          events.onClose(CLOSE.switching, "a better transport works again");
        },
      });
    });
    this.#stopClimbing = () => {
      cancel();
      trial?.close(CLOSE.switching, "");
      this.#stopClimbing = () => {};
    };
  }
}
