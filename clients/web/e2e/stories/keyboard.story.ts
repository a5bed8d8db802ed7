// Everything without a mouse: through the door, along the list, into a conversation and out of it.
import type { App } from "../support/app.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

/** Presses Tab until something has the focus; every stop on the way must be seen. */
async function tabTo({ page }: App, selector: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate((wanted) => {
      const one = document.activeElement;
      if (!one || one === document.body) return { isThere: false, isSeen: true, name: "" };
      const box = one.getBoundingClientRect();
      let ring = false;
      // On itself, or on the field that frames it.
      for (let at: Element | null = one, i = 0; at && i < 3; at = at.parentElement, i++) {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
        ring ||= (outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0) || boxShadow !== "none";
      }
      return { isThere: one.matches(wanted), isSeen: ring && box.width > 0, name: one.outerHTML.slice(0, 120) };
    }, selector);
    expect(at.isSeen, `the focus cannot be seen on ${at.name}`).toBe(true);
    if (at.isThere) return;
  }
  throw new Error(`Tab never leads to ${selector}`);
}

test("a conversation without a mouse", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const vera = await stage.account("Vera");
  const dialog = await anna.account.dialogWith(boris.account);
  const other = await anna.account.dialogWith(vera);
  await vera.say(other, "I am above");
  await boris.account.say(dialog, "I am on top");
  const her = await anna.tab();
  const { keyboard } = her.page;
  await expect(her.page.locator("[data-form=sign-in]")).toBeVisible();

  await tabTo(her, "[data-form=sign-in] input[name=login]");
  await keyboard.type(anna.account.login);
  await tabTo(her, "[data-form=sign-in] input[name=password]");
  await keyboard.type(anna.account.password);
  await keyboard.press("Enter");
  await her.isOnline();
  await expect(her.row(dialog)).toBeVisible();

  // Along the list by arrows, in by Enter.
  await tabTo(her, "li[data-dialog] *, li[data-dialog]");
  await keyboard.press("ArrowDown");
  await keyboard.press("ArrowUp");
  for (let i = 0; i < 5; i++) {
    const at = await her.page.evaluate(() => document.activeElement?.closest<HTMLElement>("li[data-dialog]")?.dataset.dialog);
    if (at === dialog) break;
    await keyboard.press(i < 2 ? "ArrowUp" : "ArrowDown");
  }
  await keyboard.press("Enter");
  await her.isOpen(dialog);
  await expect(her.composer).toBeFocused();

  // Enter sends, Shift+Enter begins a line.
  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await expect(her.composer).toHaveValue("");
  await expect(her.messages.last().locator("[data-part=text]")).toHaveText("first line\nsecond line", { useInnerText: true });
  // What is not stored yet cannot be said anew.
  await expect(her.messages.last()).toHaveAttribute("data-ticks", /stored|delivered|read/);

  // The arrow up in an empty composer edits the last own message; Escape leaves it alone.
  await keyboard.press("ArrowUp");
  await expect(her.composer).toHaveValue("first line\nsecond line");
  await keyboard.press("Escape");
  await expect(her.composer).toHaveValue("");
  // The text is there with the key: whoever types fast replaces all of it.
  await keyboard.press("ArrowUp");
  await keyboard.press("ControlOrMeta+A");
  await keyboard.type("said better");
  await keyboard.press("Enter");
  await expect(her.message("said better")).toBeVisible();
  const his = await boris.enterDialog(dialog);
  await expect(his.message("said better")).toBeVisible();
  await her.isSettled(anna.account, dialog);
  expect(await her.faults(anna.account, dialog)).toEqual([]);

  // Search by Ctrl+K, away with Escape.
  await keyboard.press("Control+k");
  await expect(her.page.getByRole("searchbox").or(her.page.locator("input[type=search]")).first()).toBeFocused();
  await keyboard.type("Vera");
  await expect(her.row(other)).toBeVisible();
  await expect(her.row(dialog)).toBeHidden();
  await keyboard.press("Escape");
  await expect(her.row(dialog)).toBeVisible();
});

test("typing goes on where it stopped when another conversation is looked at", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const one = await anna.account.dialogWith(await stage.account("Boris"));
  const two = await anna.account.dialogWith(await stage.account("Vera"));
  const her = await anna.enterDialog(one);
  await her.composer.fill("half a thought");
  await her.openDialog(two);
  await expect(her.composer).toHaveValue("");
  await her.openDialog(one);
  await expect(her.composer).toHaveValue("half a thought");
  await her.composer.press("Enter");
  await expectAllIsWell(one, [{ account: anna.account, app: her, said: ["half a thought"] }]);
});

test("the picker of reactions has the keys as soon as it is open", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.say(dialog, "What do you think?");
  const her = await anna.enterDialog(dialog);
  const { keyboard } = her.page;
  await her.message("What do you think?").focus();
  await keyboard.press("Enter");
  await her.page.getByRole("menuitem", { name: "More reactions" }).press("Enter");
  // It is loaded now for the first time.
  const first = her.page.getByRole("group", { name: "Emoji" }).getByRole("menuitem").first();
  await expect(first).toBeFocused();
  await keyboard.press("Escape");
  await expect(her.page.getByRole("menu")).toHaveCount(0);
  await her.isOpen(dialog);
  await expect(her.messages.last()).toBeFocused();
});

test("what is found is reached by keys, and the list is one stop of Tab", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const dialogs: string[] = [];
  for (const name of ["Boris", "Vera", "Gleb"]) dialogs.push(await anna.account.dialogWith(await stage.account(name)));
  const [boris = "", vera = ""] = dialogs;
  const her = await anna.enter();
  const { keyboard } = her.page;
  const search = her.page.locator("input[name=search]");
  const link = (dialog: string) => her.row(dialog).getByRole("link");
  await expect(her.row(vera)).toBeVisible();
  const stops = () =>
    her.page.locator("li[data-dialog]").evaluateAll((rows) => rows.map((row) => row.querySelectorAll("a:not([tabindex='-1'])").length));
  expect((await stops()).reduce((sum, one) => sum + one, 0)).toBe(1);

  await keyboard.press("Control+k");
  await keyboard.type("Vera");
  await expect(her.row(boris)).toBeHidden();
  await keyboard.press("ArrowDown");
  await expect(link(vera)).toBeFocused();
  await keyboard.press("ArrowUp");
  await expect(search).toBeFocused();
  await keyboard.press("Enter");
  await her.isOpen(vera);

  // Out again: one stands where one went in.
  await keyboard.press("Control+k");
  await keyboard.press("Escape");
  await her.composer.focus();
  await keyboard.press("Escape");
  await expect(her.composer).toBeHidden();
  await expect(link(vera)).toBeFocused();
  expect((await stops()).reduce((sum, one) => sum + one, 0)).toBe(1);
});
