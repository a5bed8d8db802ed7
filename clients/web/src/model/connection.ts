// How the connection is, for whoever draws it.
//
// Knows no DOM: whether the device has a network is told to it. Invariant: it says what the SDK says; a short break
// (a deploy, another tab taking over) is no news until it has lasted.
import type { ConnectionState, Konvert } from "@konvert/sdk";
import { computed, type ReadonlySignal, signal } from "@preact/signals";

/** Breaks shorter than this are not shown as breaks, milliseconds. */
const GRACE_MS = 700;
/** A device that says it has no network is believed at once; a connection that is alive after so long proves it wrong. The SDK has looked by then, milliseconds. */
const DOUBT_MS = 8_000;

export class Connection {
  readonly #konvert: Konvert;
  readonly #state = signal<ConnectionState>({ name: "connecting", attempt: 0, transport: "" });
  readonly #isSteady = signal(true);
  readonly #isDeviceOnline = signal(true);
  readonly #isCalm = computed(() => this.#isSteady.value && this.#isDeviceOnline.value);
  #doubt: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(konvert: Konvert) {
    this.#konvert = konvert;
    konvert.on("state", (state) => this.#take(state));
    // It may have begun before anybody listened.
    this.#take(konvert.state);
  }

  /** As the SDK tells it. */
  get state(): ReadonlySignal<ConnectionState> {
    return this.#state;
  }
  /** Connected, or away for so short a time that nobody need hear of it. */
  get isCalm(): ReadonlySignal<boolean> {
    return this.#isCalm;
  }
  /** Whether the device has a network, as far as it says so and nothing proves it wrong. */
  get isDeviceOnline(): ReadonlySignal<boolean> {
    return this.#isDeviceOnline;
  }
  /** Whether the server hears us now. */
  get isConnected(): boolean {
    return this.#state.value.name === "connected";
  }

  /** The device's word about its network. */
  device(isOnline: boolean): void {
    this.#isDeviceOnline.value = isOnline;
    clearTimeout(this.#doubt);
    // Some devices reach a server without what they call a network.
    if (!isOnline) this.#doubt = setTimeout(() => (this.#isDeviceOnline.value ||= this.isConnected), DOUBT_MS);
  }

  /** Somebody does not want to wait for the next attempt. */
  tryNow(): void {
    this.#konvert.connect();
  }

  #take(state: ConnectionState): void {
    this.#state.value = state;
    clearTimeout(this.#timer);
    if (state.name === "connected") this.#isSteady.value = this.#isDeviceOnline.value = true;
    else this.#timer = setTimeout(() => (this.#isSteady.value = false), state.name === "closed" ? 0 : GRACE_MS);
  }
}
