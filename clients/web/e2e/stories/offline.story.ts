// Installable, and opens without a network with the last state; what is said then is sent later.
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

/** A service worker has everything it needs to open the app without a network. */
async function isInstalled({ page }: App): Promise<void> {
  await expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state), "a service worker")
    .toBe("activated");
}
