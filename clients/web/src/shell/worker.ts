// The app on the device: the worker that opens it without a network, and the moment for another version.
//
// Owns the worker's registration. Invariant: a page is never replaced under somebody's hands; it is when they say so.
import { signal } from "@preact/signals";

/** Another version is ready, and waits for a word. */
export const isUpdateReady = signal(false);

/** Looks for another version this often, milliseconds. */
const LOOK_MS = 60 * 60_000;

let waiting: ServiceWorker | null = null;
let isTaking = false;

/** Takes the other version: every page of the app begins anew with it. */
export function update(): void {
  isTaking = true;
  if (waiting) waiting.postMessage("take over");
  else location.reload();
}

export async function register(): Promise<void> {
  const workers = navigator.serviceWorker;
  if (!workers || !import.meta.env.PROD) return;
  const hadOne = !!workers.controller;
  workers.addEventListener("controllerchange", () => {
    // The first one only takes what is there under its care.
    if (isTaking || (hadOne && document.visibilityState === "hidden")) location.reload();
    else if (hadOne) isUpdateReady.value = true;
  });
  try {
    const registration = await workers.register("/sw.js", { updateViaCache: "none" });
    const look = () => {
      waiting = registration.waiting;
      if (waiting && workers.controller) isUpdateReady.value = true;
    };
    look();
    registration.addEventListener("updatefound", () => {
      const { installing } = registration;
      installing?.addEventListener("statechange", () => installing.state === "installed" && look());
    });
    setInterval(() => void registration.update().catch(() => {}), LOOK_MS);
  } catch {
    // Over plain HTTP, or forbidden: the app needs its network then.
  }
}
