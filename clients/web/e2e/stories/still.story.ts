// Nothing jumps: neither while the app loads nor while messages arrive, also where one reads further up.
import { expect, test } from "../support/stage.ts";

/** The most that may be shifted, as the browser counts it (cumulative layout shift). */
const SHIFT_MAX = 0.05;

for (const isPhone of [false, true]) {
  test(`no layout shift: ${isPhone ? "phone" : "laptop"}`, async ({ stage }) => {
    const anna = await stage.person("Anna", { isPhone });
    const boris = await stage.account("Boris");
    const dialog = await anna.account.dialogWith(boris);
    for (let i = 1; i <= 60; i++) await (i % 2 ? boris : anna.account).say(dialog, `message ${i} ${"word ".repeat(i % 17)}`);
    for (let i = 1; i <= 8; i++) {
      const friend = await stage.account(`Friend ${i}`);
      await friend.say(await friend.dialogWith(anna.account), `hello from ${i}`);
    }
    const her = await anna.enter();
    const shift = () => her.page.evaluate(() => ({ shift: window.watched.shift, shifts: window.watched.shifts }));
    const expectStill = async (what: string) => {
      await her.frame();
      const told = await shift();
      expect(told.shift, `${what}:\n${told.shifts.join("\n")}`).toBeLessThanOrEqual(SHIFT_MAX);
    };
    // The door, the way in, a load with the last state, a load right into a conversation.
    await expectStill("signing in");
    await her.page.reload();
    await her.isOnline();
    await expect(her.row(dialog)).toBeVisible();
    await expectStill("loading the list");
    await her.goto(`/d/${dialog}`);
    await her.isOpen(dialog);
    await her.isSettled(anna.account, dialog);
    await expectStill("loading a conversation");
    for (let i = 1; i <= 10; i++) {
      await boris.say(dialog, `live ${i} ${"word ".repeat(i * 3)}`);
      await expect(her.page.locator("[data-part=text]", { hasText: `live ${i} ` }).first()).toBeVisible();
    }
    await expectStill("messages arrive");
  });
}

test("what one reads stays where it is while messages arrive below and older ones above", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  for (let i = 1; i <= 150; i++) await boris.say(dialog, `message ${i} ${"word ".repeat(i % 23)}`);
  await anna.account.ask("PUT", `/api/dialogs/${dialog}/read`, { offset: 150 });
  const her = await anna.enterDialog(dialog);
  await her.isSettled(anna.account, dialog);
  await her.log.hover();
  await her.page.mouse.wheel(0, -1500);
  await expect.poll(() => her.isAtEnd(1)).toBe(false);
  await her.isAtRest();
  const middle = await her.messages.evaluateAll((rows) => {
    const seen = rows.filter((row) => row.getBoundingClientRect().top > innerHeight / 3);
    const row = seen[0] as HTMLElement;
    return { offset: row.dataset.offset, top: row.getBoundingClientRect().top };
  });
  for (let i = 1; i <= 10; i++) await boris.say(dialog, `below ${i}`);
  await expect(her.page.getByRole("button", { name: /10 new messages/ })).toBeVisible();
  await her.isAtRest();
  const row = her.page.locator(`[data-offset="${middle.offset}"]`);
  expect(Math.abs(((await row.boundingBox())?.y ?? 0) - middle.top)).toBeLessThanOrEqual(1);
  await her.page.getByRole("button", { name: /new messages?/ }).click();
  await expect(her.message("below 10")).toBeInViewport();
});
