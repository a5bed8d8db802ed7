// Installing the app on the device, where the browser offers it.
//
// Owns the browser's offer. Invariant: an offer is used once; the browser makes another one if it likes.
import { signal } from "@preact/signals";

/** What the browser lets us show in place of its own question. */
interface Offer extends Event {
  prompt(): Promise<unknown>;
}

/** Whether the app can be installed now. */
export const isInstallable = signal(false);

let offer: Offer | null = null;

addEventListener("beforeinstallprompt", (event) => {
  // Asked for in the settings, not in somebody's way.
  event.preventDefault();
  offer = event as Offer;
  isInstallable.value = true;
});
addEventListener("appinstalled", end);

/** Lets the browser ask. */
export async function install(): Promise<void> {
  const taken = offer;
  end();
  await taken?.prompt();
}

function end(): void {
  offer = null;
  isInstallable.value = false;
}
