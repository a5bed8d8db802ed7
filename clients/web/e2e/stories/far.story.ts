// A message far up is gone to at once, by what answers it; what is between comes after, and nothing is missing then.
import { CROWDED } from "../support/api.ts";
import { expect, test } from "../support/stage.ts";

const COUNT = 1_200;

test.use({ settings: CROWDED });

test("a message far up is gone to by what answers it, and what lies between comes along", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.sayAll(
    dialog,
    Array.from({ length: COUNT }, (_, i) => `message ${i + 1}`),
  );
  const target = (await anna.account.history(dialog))[9];
  // What is said of it later is further down than the page that is read first.
  await boris.ask("PUT", `/api/dialogs/${dialog}/messages/${target?.offset}`, { text: "said better" });
  await boris.say(dialog, "do you remember?", { relation: { kind: "reply", offset: target?.offset } });
  await anna.account.ask("PUT", `/api/dialogs/${dialog}/read`, { offset: COUNT + 2 });
  const her = await anna.enterDialog(dialog);
  const answer = her.message("do you remember?");
  await expect(answer).toBeVisible();

  await answer
    .getByRole("button", { name: /To the message of/ })
    .or(answer.locator(".quote"))
    .first()
    .click();
  const shown = her.page.locator(`[data-offset="${target?.offset}"]`);
  await expect(shown).toBeInViewport();
  await expect(shown.locator("[data-part=text]")).toHaveText("said better");
  await expect(her.page.locator("[data-part=hole]")).toHaveCount(0);
  await expect(shown).toBeInViewport();
  // Down from there everything is in its place; all of it would take a while.
  const offsets = async () => (await her.look()).map(({ offset }) => offset ?? 0);
  await her.log.hover();
  for (let i = 0; i < 15; i++) {
    await her.page.mouse.wheel(0, 700);
    await her.frame();
    const seen = await offsets();
    expect(seen).toEqual(seen.map((_, k) => (seen[0] ?? 0) + k));
  }
  await expect.poll(async () => (await offsets())[0]).toBeGreaterThan(60);
});
