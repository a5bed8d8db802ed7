// The service worker: the app opens without a network.
//
// Owns a copy of the app's own files, all of one build. Knows nothing of messages: what lies under /api is never touched.
// Invariants: a page is asked from the network first, so that nobody with a network meets yesterday's app; a copy is
// whole or not there; another build takes over when a person says so, or when no page of the old one is open.

interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface NoticeEvent extends WorkerEvent {
  readonly notification: Notification & { readonly data?: { readonly path?: string } };
}
interface Window {
  readonly url: string;
  focus(): Promise<Window>;
  postMessage(message: unknown): void;
}
interface WorkerScope {
  readonly location: Location;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<readonly Window[]>;
    openWindow(url: string): Promise<Window | null>;
  };
  skipWaiting(): Promise<void>;
  addEventListener<E extends Event>(name: string, listener: (event: E) => void): void;
}
const scope = globalThis as unknown as WorkerScope;

/** Written in by the build: the name of this build, and its files. */
declare const BUILD: { readonly version: string; readonly files: readonly string[] };

const { version, files } = BUILD;
const PREFIX = "konvert.app ";
const NAME = PREFIX + version;
/** A page that the network has not given by then is taken from the copy, milliseconds. */
const PATIENCE_MS = 3_000;
const FILES = new Set(files);

scope.addEventListener<WorkerEvent>("install", (event) => event.waitUntil(copy()));

scope.addEventListener<WorkerEvent>("activate", (event) => event.waitUntil(takeOver()));

scope.addEventListener<FetchEvent>("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== scope.location.origin || pathname.startsWith("/api/")) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (FILES.has(pathname)) event.respondWith(own(request, pathname));
});

scope.addEventListener<MessageEvent & WorkerEvent>("message", (event) => {
  if (event.data === "take over") event.waitUntil(scope.skipWaiting());
});

scope.addEventListener<NoticeEvent>("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data?.path ?? "/"));
});

async function copy(): Promise<void> {
  const cache = await caches.open(NAME);
  // Past the browser's own cache: a copy of this build has this build's files.
  await cache.addAll(files.map((file) => new Request(file, { cache: "reload" })));
}

async function takeOver(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== NAME) await caches.delete(name);
  await scope.clients.claim();
}

/** A page of the app: from the network, or else the copy. */
async function page(request: Request): Promise<Response> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  const asked = fetch(request).catch(() => null);
  const answer = await Promise.race([asked, late]);
  // A proxy that stands for a server which is not there says so with 502 to 504.
  if (answer && answer.status < 500) return answer;
  return (await caches.match("/", { cacheName: NAME })) ?? answer ?? (await asked) ?? Response.error();
}

async function own(request: Request, path: string): Promise<Response> {
  return (await caches.match(path, { cacheName: NAME })) ?? fetch(request);
}

/** Shows where a notice leads: in a window that is there, or a new one. */
async function show(path: string): Promise<void> {
  const [first] = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!first) return void (await scope.clients.openWindow(path));
  first.postMessage({ path });
  await first.focus();
}
