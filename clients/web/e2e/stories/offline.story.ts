// Installable, and opens without a network with the last state; what is said then is sent later.
import type { Account } from "../support/api.ts";
import type { App } from "../support/app.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("opens without a network, with the last state, and sends later", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  for (let i = 1; i <= 20; i++) await boris.account.say(dialog, `message ${i}`);
  const first = await anna.enterDialog(dialog);
  await first.isSettled(anna.account, dialog);
  await isInstalled(first);
  await isRemembered(first, anna.account, dialog, 20);
  await first.page.close();

  anna.network.cut();
  const second = await anna.tab(`/d/${dialog}`);
  await second.isOpen(dialog);
  await expect(second.row(dialog)).toBeVisible();
  for (const text of ["message 20", "message 12"]) await expect(second.message(text)).toBeAttached();
  await second.isOffline();
  await second.say("written without a network");
  await expect(second.message("written without a network")).toHaveAttribute("data-ticks", "pending");

  anna.network.restore();
  await second.isOnline();
  await expectAllIsWell(dialog, [{ account: anna.account, app: second, said: ["written without a network"] }]);
});

test("a device that loses its network says so at once, also in the lobby, and is back at once", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const app = await anna.enter();
  const { page } = app;
  const status = page.locator(".link-state [role=status]");
  await expect(status).toHaveText("Connected");
  await anna.context.setOffline(true);
  await expect(status).toHaveText("This device is offline", { timeout: 1_000 });
  await expect(page.locator("[data-banner=offline]")).toContainText("You are offline");
  await page.getByRole("link", { name: "Lobby" }).click();
  await expect(page.getByText("This conversation is not on this device yet")).toBeVisible();
  // The socket says nothing of it; it is asked.
  await app.isOffline(8_000);
  await page.getByRole("searchbox").fill("bo");
  await expect(page.getByText("This device is offline.", { exact: true })).toBeVisible();
  await expect(page.getByText("Nobody by that name")).toHaveCount(0);
  await anna.context.setOffline(false);
  await app.isOnline(5_000);
  await expect(status).toHaveText("Connected");
  await expect(page.getByText("Nobody by that name")).toBeVisible();
});

test("a server that is silent is not called a missing network", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.say(dialog, "hello");
  const first = await anna.enterDialog(dialog);
  await first.isSettled(anna.account, dialog);
  await isInstalled(first);
  await isRemembered(first, anna.account, dialog, 1);
  await first.page.close();
  anna.network.cut();
  const app = await anna.tab(`/d/${dialog}`);
  await expect(app.page.locator("[data-banner=offline]")).toContainText("The server does not answer");
  await expect(app.page.getByText("You are offline")).toHaveCount(0);
  anna.network.restore();
  await app.isOnline();
});

test("it can be installed", async ({ stage }) => {
  const { app, network } = await stage.visitor();
  await app.goto("/");
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  await expect(app.page.locator("link[rel=manifest]")).toHaveCount(1);
  const address = await app.page.locator("link[rel=manifest]").getAttribute("href");
  const answer = await fetch(new URL(address ?? "", network.url));
  expect(answer.headers.get("content-type")).toContain("application/manifest+json");
  const manifest = (await answer.json()) as {
    name: string;
    start_url: string;
    display: string;
    icons: { src: string; sizes: string; purpose?: string }[];
  };
  expect(manifest).toMatchObject({ name: "Konvert", display: "standalone" });
  for (const { src } of manifest.icons) expect((await fetch(new URL(src, network.url))).status, src).toBe(200);
  const sizes = manifest.icons.flatMap(({ sizes }) => sizes.split(" "));
  expect(sizes.includes("any") || (sizes.includes("192x192") && sizes.includes("512x512"))).toBe(true);
  // What the browser itself has against it.
  const session = await app.page.context().newCDPSession(app.page);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")).toEqual([]);
});

test("a new version of the app is taken at the next visit", async ({ stage }) => {
  const { app, network } = await stage.visitor();
  await app.goto("/");
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  await isInstalled(app);
  await app.page.close();
  // Another build: the same page with a mark in it. Whoever comes with a network must not get yesterday's.
  network.alter = (path, body) => (path === "/" ? body.replace("<title>", '<meta name="version" content="tomorrow"><title>') : body);
  const next = await app.page.context().newPage();
  await next.goto(network.url);
  await expect(next.locator("[data-form=sign-in]")).toBeVisible();
  if (!(await next.locator("meta[name=version]").count())) await next.reload();
  await expect(next.locator("meta[name=version]")).toHaveAttribute("content", "tomorrow");
});

test("another build is told of, and taken when somebody says so, in all tabs", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await isInstalled(her);
  await her.page.reload();
  await her.isOpen(dialog);
  await her.composer.fill("half a thought");
  const version = ({ page }: App) => page.locator("meta[name=version]");
  const banner = her.page.locator("[data-banner=update]");
  await expect(banner).toHaveCount(0);

  anna.network.alter = (path, body) => {
    if (path.startsWith("/sw.js")) return `${body}\n// tomorrow`.replace('"version":"', '"version":"tomorrow ');
    return body.replace("<title>", '<meta name="version" content="tomorrow"><title>');
  };
  // The browser looks for another worker whenever a page is opened.
  const second = await anna.tab("/");
  await second.isOnline();
  await expect(banner).toBeVisible();
  // Nothing is taken out of somebody's hands.
  await expect(her.composer).toHaveValue("half a thought");
  await expect(version(her)).toHaveCount(0);

  await banner.getByRole("button", { name: "Reload" }).click();
  await expect(version(her)).toHaveAttribute("content", "tomorrow");
  await her.isOnline();
  await expect(her.composer).toHaveValue("half a thought");
  await expect(her.page.locator("[data-banner=update]")).toHaveCount(0);

  // What opens without a network is the other build, too.
  stage.expectOutages();
  await second.page.close();
  anna.network.cut();
  await her.page.reload();
  await expect(version(her)).toHaveAttribute("content", "tomorrow");
  await her.isOpen(dialog);
});

test("the app offers to be installed while the browser does, and lets the browser ask", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const her = await anna.enter();
  await her.goto("/settings");
  const button = her.page.getByRole("button", { name: "Install as an app" });
  await expect(her.page.getByRole("button", { name: "Sign out", exact: true })).toBeVisible();
  await expect(button).toHaveCount(0);
  // Without a window the browser makes no offer: this is one as it would be.
  const offer = () =>
    her.page.evaluate(() => {
      const event = new Event("beforeinstallprompt", { cancelable: true });
      const told = { isHeld: false, asked: 0 };
      Object.assign(window, { told });
      Object.assign(event, { prompt: async () => void told.asked++ });
      dispatchEvent(event);
      told.isHeld = event.defaultPrevented;
    });
  const told = () => her.page.evaluate(() => (window as unknown as { told: { isHeld: boolean; asked: number } }).told);
  await offer();
  await button.click();
  await expect.poll(told).toEqual({ isHeld: true, asked: 1 });
  // An offer is good for one question.
  await expect(button).toHaveCount(0);
  await offer();
  await expect(button).toBeVisible();
  await her.page.evaluate(() => dispatchEvent(new Event("appinstalled")));
  await expect(button).toHaveCount(0);
});

test("a conversation that was never opened here is not shown as empty without a network", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.say(dialog, "never looked at");
  const her = await anna.enter();
  await expect(her.row(dialog)).toHaveAttribute("data-unread", "1");
  await isInstalled(her);
  await isRemembered(her, anna.account, dialog, 0);
  anna.network.cut();
  await her.page.reload();
  await her.isOffline();
  await her.openDialog(dialog);
  await expect(her.page.getByText("This conversation is not on this device yet")).toBeVisible();
  await expect(her.page.getByText("Nothing here yet")).toHaveCount(0);
  anna.network.restore();
  await her.isOnline();
  await expect(her.message("never looked at")).toBeVisible();
  await expect(her.page.getByText("This conversation is not on this device yet")).toHaveCount(0);
});

test("what was read and what was answered is known without a network", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  const question = await boris.say(dialog, "Are you coming?");
  const answer = await anna.account.say(dialog, "In a minute", { relation: { kind: "reply", offset: question } });
  await boris.ask("PUT", `/api/dialogs/${dialog}/read`, { offset: answer });
  const her = await anna.enterDialog(dialog);
  await expect(her.message("In a minute")).toHaveAttribute("data-ticks", "read");
  await isInstalled(her);
  await isRemembered(her, anna.account, dialog, 2);
  await expect.poll(() => keptUnder(her, anna.account, `markers ${dialog}`)).toEqual([[boris.id, answer]]);
  anna.network.cut();
  await her.page.reload();
  await her.isOffline();
  await her.isOpen(dialog);
  const own = her.message("In a minute");
  await expect(own).toHaveAttribute("data-ticks", "read");
  await expect(own.getByRole("button", { name: /Are you coming/ })).toBeVisible();
});

/** A service worker has everything it needs to open the app without a network. */
async function isInstalled({ page }: App): Promise<void> {
  await expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state), "a service worker")
    .toBe("activated");
}

/** The dialog and so many of its messages are written down, which they are a moment after they are shown. */
async function isRemembered(app: App, account: Account, dialog: string, messages: number): Promise<void> {
  const kept = async () => {
    const dialogs = (await keptUnder(app, account, "dialogs")) as readonly { id?: string }[];
    return dialogs.some(({ id }) => id === dialog) ? (await keptUnder(app, account, `room ${dialog}`)).length : -1;
  };
  await expect.poll(kept, "messages that are remembered").toBeGreaterThanOrEqual(messages);
}

/** What is written down under a name. */
function keptUnder({ page }: App, { id }: Account, name: string): Promise<readonly unknown[]> {
  return page.evaluate(
    async ([base, name]) => {
      // To open it before it is made would be to make it.
      if (!(await indexedDB.databases()).some((one) => one.name === base)) return [];
      const answerOf = <Value>(request: IDBRequest<Value>) =>
        new Promise<Value>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const db = await answerOf(indexedDB.open(base));
      const found = (await answerOf(db.transaction("values").objectStore("values").get(name))) as { value: unknown[] } | undefined;
      db.close();
      return found?.value ?? [];
    },
    [`konvert.memory ${id}`, name] as const,
  );
}
