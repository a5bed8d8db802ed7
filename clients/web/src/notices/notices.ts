// Telling somebody who looks elsewhere: notifications of the browser, and the number on the app's icon.
//
// Owns the choice. Invariants: nothing is shown while any tab of the app is looked at; several tabs show one notice.
import { effect, signal } from "@preact/signals";
import { titleOf } from "../list/title";
import type { Chat } from "../model/chat";
import { type Notice, newsOf } from "../model/notices";
import type { Dialog } from "../model/resources";
import { go, pathOf } from "../router";
import { words } from "../words";

/** `blocked`: wanted, and the browser forbids it. */
export type NoticeState = "on" | "off" | "blocked" | "unsupported";

const KEY = "konvert.notices";
/** Held, together with others, by every tab that is looked at. */
const WATCHING = "konvert.watching";

const state = (): NoticeState => {
  if (!("Notification" in globalThis)) return "unsupported";
  if (localStorage.getItem(KEY) !== "on") return "off";
  return Notification.permission === "granted" ? "on" : "blocked";
};

/** Whether notices are shown. */
export const notices = signal<NoticeState>(state());

/** Chooses; asks the browser when it has not been asked. */
export async function allow(isWanted: boolean): Promise<void> {
  localStorage.setItem(KEY, isWanted ? "on" : "off");
  if (isWanted && "Notification" in globalThis && Notification.permission === "default") await Notification.requestPermission();
  notices.value = state();
}

/** Tells of the news of a chat from now on. Gives back how to stop. */
export function tell(chat: Chat): () => void {
  let before: ReadonlyMap<string, Dialog> | null = null;
  return effect(() => {
    const all = chat.dialogs.all.value;
    const isFresh = chat.dialogs.isFresh.value;
    // What was there before one came is in the list, and no news.
    if (before && isFresh && notices.peek() === "on") {
      const news = newsOf(before, all, chat.me.id, Date.now());
      if (news.length) void show(chat, news);
    }
    if (isFresh) before = new Map(all.map((dialog) => [dialog.id, dialog]));
  });
}

async function show(chat: Chat, news: readonly Notice[]): Promise<void> {
  if (document.visibilityState === "visible" || (await isWatchedElsewhere())) return;
  for (const { dialog, isMention } of news) {
    const { conversation, notices: say } = words();
    const last = dialog.last_message;
    const who = last?.sender_name || dialog.user?.name || conversation.unknown;
    const title = dialog.kind === "direct" || !isMention ? titleOf(dialog) : say.mention(who, titleOf(dialog));
    const body = dialog.mode === "e2ee" ? say.sealed : last?.text || say.file;
    const path = pathOf(dialog.id, true);
    const options = {
      body: body.slice(0, 200),
      tag: `${chat.me.id} ${dialog.id}`,
      icon: "/icon-192.png",
      badge: "/icon-192.png",
      data: { path },
    };
    const worker = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
    if (worker?.active) await worker.showNotification(title, options).catch(() => {});
    else {
      const notice = new Notification(title, options);
      notice.onclick = () => {
        focus();
        go(path);
        notice.close();
      };
    }
  }
}

async function isWatchedElsewhere(): Promise<boolean> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held.some(({ name }) => name === WATCHING);
}

let release: (() => void) | undefined;

function watch(): void {
  release?.();
  release = undefined;
  if (document.visibilityState !== "visible") return;
  void navigator.locks?.request(WATCHING, { mode: "shared" }, () => new Promise<void>((done) => (release = done)));
}

addEventListener("visibilitychange", () => {
  watch();
  // The permission may have been changed elsewhere meanwhile.
  notices.value = state();
});
watch();

// A notice was pressed: the worker says where it leads.
navigator.serviceWorker?.addEventListener("message", ({ data }: MessageEvent<{ readonly path?: unknown } | null>) => {
  if (typeof data?.path === "string" && data.path.startsWith("/")) go(data.path);
});
