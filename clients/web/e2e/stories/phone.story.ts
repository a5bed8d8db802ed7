// On a phone there is one column: the list, or the conversation, and a way back; nothing is wider than the screen, and
// what is touched is large enough to be hit.
import type { App } from "../support/app.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

/** The least side of what is touched, CSS pixels. */
const TOUCH_PX = 44;

test("a conversation on a phone", async ({ stage }) => {
  const anna = await stage.person("Anna", { isPhone: true });
  const boris = await stage.person("Boris", { isPhone: true, language: "ru", theme: "dark" });
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enter();
  await expectFits(her);
  await her.row(dialog).getByRole("link").or(her.row(dialog).getByRole("button")).first().tap();
  await her.isOpen(dialog);
  await expect(her.row(dialog)).toBeHidden();
  const his = await boris.enterDialog(dialog);
  const said = ["Are you on the way?", "a-very-long-word-without-any-place-to-break-".repeat(8), "https://example.org/".padEnd(300, "x")];
  for (const text of said) await her.say(text);
  await expect(his.message(said.at(-1) ?? "")).toBeVisible();
  await his.say("Ещё пять минут");
  for (const app of [her, his]) await expectFits(app);
  await expectAllIsWell(dialog, [
    { account: anna.account, app: her, said },
    { account: boris.account, app: his, said: ["Ещё пять минут"] },
  ]);
  await her.page
    .getByRole("link", { name: "Back" })
    .or(her.page.getByRole("button", { name: "Back" }))
    .tap();
  await expect(her.row(dialog)).toBeVisible();
  await expect(her.composer).toBeHidden();
  await expectFits(her);
});

test("the phone's way back leads from the conversation to the list", async ({ stage }) => {
  const anna = await stage.person("Anna", { isPhone: true });
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await her.page.goBack();
  await expect(her.row(dialog)).toBeVisible();
  await her.page.goForward();
  await her.isOpen(dialog);
});

async function expectFits({ page }: App): Promise<void> {
  const { wider, small } = await page.evaluate((least) => {
    const isSeen = (one: Element) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const name = (one: Element) => one.outerHTML.slice(0, 120);
    const wider = [...document.querySelectorAll("body *")].filter((one) => {
      const { left, right, width } = one.getBoundingClientRect();
      if (!isSeen(one) || width === 0 || (left >= -1 && right <= innerWidth + 1)) return false;
      // What a box of its own cuts off or scrolls is not seen beside the screen.
      for (let box = one.parentElement; box; box = box.parentElement) {
        const { left, right } = box.getBoundingClientRect();
        if (getComputedStyle(box).overflowX !== "visible" && left >= -1 && right <= innerWidth + 1) return false;
      }
      return true;
    });
    const touched = "button, a[href], input:not([type=file]), textarea, select, [role=button], [role=tab], [role=switch]";
    const small = [...document.querySelectorAll(touched)].filter((one) => {
      const { width, height } = one.getBoundingClientRect();
      // Links in running text are as high as the text (WCAG 2.5.8 excepts them); what cannot be seen is not touched.
      if (!isSeen(one) || one.closest("[data-part=text], [inert]") || width <= 1) return false;
      // A field is touched by its label, too.
      const label = one.closest("label")?.getBoundingClientRect();
      return Math.max(width, label?.width ?? 0) < least - 0.5 || Math.max(height, label?.height ?? 0) < least - 0.5;
    });
    return { wider: wider.map(name), small: small.map(name), isWide: document.documentElement.scrollWidth > innerWidth };
  }, TOUCH_PX);
  expect(wider, "wider than the screen").toEqual([]);
  expect(small, "too small to be touched").toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page scrolls sideways").toBe(true);
}
