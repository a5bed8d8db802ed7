// Installable, and opens without a network with the last state; what is said then is sent later.
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
  await first.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    // It serves this page only when it controls it, which the first visit need not.
    if (!navigator.serviceWorker.controller) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    }
  });
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
  const address = await app.page.locator("link[rel=manifest]").getAttribute("href");
  const answer = await fetch(new URL(address ?? "", network.url));
  expect(answer.headers.get("content-type")).toContain("application/manifest+json");
  const manifest = (await answer.json()) as { name: string; start_url: string; display: string; icons: { src: string; sizes: string; purpose?: string }[] };
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
  const { app } = await stage.visitor();
  await app.goto("/");
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  // The page itself is asked for each time there is a network, so that it never names files that are gone.
  await app.page.evaluate(() => navigator.serviceWorker.ready);
  await app.page.reload();
  const from = await app.page.evaluate(() => (performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming).transferSize);
  expect(from).toBeGreaterThanOrEqual(0);
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
});
