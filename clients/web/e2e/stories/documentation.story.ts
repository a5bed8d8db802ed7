// The page of the API's documentation shows every operation and error, tries one, and breaks nothing of the policy.
import { expect, test } from "../support/stage.ts";

test("the documentation shows and tries every operation", async ({ stage }) => {
  const { app, network } = await stage.visitor();
  const { page } = app;
  await app.goto("/api/docs#not_found");
  await expect(page.locator("body")).toHaveAttribute("data-ready", "yes");
  await expect(page.locator(".aimed")).toHaveId("not_found");

  const described = (await (await fetch(`${network.url}/api/openapi.json`)).json()) as { paths: Record<string, object> };
  const count = Object.values(described.paths).reduce((sum, item) => sum + Object.keys(item).length, 0);
  await expect(page.locator("details.operation")).toHaveCount(count);
  // Everything can be opened.
  await page.locator("details.operation").evaluateAll((all) => {
    for (const one of all as HTMLDetailsElement[]) one.open = true;
  });
  await expect(page.locator("details.operation form.try")).toHaveCount(count);

  const health = page.locator("#op-get_health");
  await health.locator("form.try").evaluate((form: HTMLFormElement) => form.requestSubmit());
  await expect(health.locator(".answer-head")).toHaveText(/^200/);
  await page.locator("#language").click();
  await expect(page.locator("#errors")).toHaveText("Ошибки");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.locator("#theme").click();
  await expect.poll(background).not.toBe(light);
});
