// Notices of the browser: of what happens while one looks elsewhere; pressed, they lead to where it happened.
//
// Chromium without a window shows a notice and lets nobody press it: the press is told to the service worker as the
// browser would tell it.
import type { App } from "../support/app.ts";
import { expect, test } from "../support/stage.ts";

interface Shown {
  readonly title: string;
  readonly body: string;
}

/** What is shown by the browser at this moment. */
function shown({ page }: App): Promise<Shown[]> {
  return page.evaluate(async () => {
    const worker = await navigator.serviceWorker.ready;
    return (await worker.getNotifications()).map(({ title, body }) => ({ title, body }));
  });
}

/** Looks at another tab, or back at this one: without windows every page counts as seen. */
async function look({ page }: App, at: "away" | "here"): Promise<void> {
  await page.evaluate(
    (state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    },
    at === "away" ? "hidden" : "visible",
  );
}

test("a message that comes while one is away is told, and pressing that leads to it", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const vera = await stage.account("Vera");
  const carl = await stage.account("Carl");
  const dialog = await anna.account.dialogWith(boris.account);
  const other = await anna.account.dialogWith(vera);
  const third = await anna.account.dialogWith(carl);
  await anna.context.grantPermissions(["notifications"], { origin: anna.network.url });
  const her = await anna.enter();
  await her.goto("/settings");
  await her.isOnline();
  await her.page.getByRole("group", { name: "Notifications" }).getByRole("button", { name: "On" }).click();
  await expect(her.page.getByRole("group", { name: "Notifications" }).getByRole("button", { name: "On" })).toHaveAttribute(
    "aria-pressed",
    "true",
  );
  await her.page.evaluate(() => navigator.serviceWorker.ready);
  await her.openDialog(other);

  // While she looks nothing is told: it would be there beside the next one.
  await carl.say(third, "seen in the list");
  await expect(her.row(third)).toHaveAttribute("data-unread", "1");

  await look(her, "away");
  await boris.account.say(dialog, "where are you?");
  await expect.poll(() => shown(her)).toEqual([{ title: "Boris", body: "where are you?" }]);

  const worker = anna.context.serviceWorkers()[0] ?? (await anna.context.waitForEvent("serviceworker"));
  await worker.evaluate(async () => {
    const scope = globalThis as unknown as {
      registration: ServiceWorkerRegistration;
      NotificationEvent: new (name: string, options: { notification: Notification }) => Event;
      dispatchEvent(event: Event): void;
    };
    const [notification] = await scope.registration.getNotifications();
    if (notification) scope.dispatchEvent(new scope.NotificationEvent("notificationclick", { notification }));
  });
  await her.isOpen(dialog);
  await look(her, "here");
  await expect(her.message("where are you?")).toBeVisible();
  await expect(her.row(dialog)).toHaveAttribute("data-unread", "0");
  await expect.poll(() => shown(her)).toEqual([]);
});
