// The list, and what a conversation shows when there is little in it or no way into it.
import { expect, test } from "../support/stage.ts";

test("nothing leads to the newest where all is in sight", async ({ stage }) => {
  const anna = await stage.person("Anna", { isPhone: true });
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.say(dialog, "one");
  await boris.say(dialog, "two");
  const her = await anna.enterDialog(dialog);
  await expect(her.page.locator("[data-part=unread]")).toBeVisible();
  await expect(her.message("two")).toBeInViewport();
  await expect(her.row(dialog)).toHaveAttribute("data-unread", "0");
  await her.frame();
  await expect(her.page.getByRole("button", { name: /newest|new message/ })).toHaveCount(0);
});

test("a name stands in the middle of its row when nothing is told below it", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const silent = await anna.account.dialogWith(boris);
  const her = await anna.enter();
  const off = () =>
    her.row(silent).evaluate((row) => {
      const middle = (part: Element | null) => {
        const { top, bottom } = part?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
        return (top + bottom) / 2;
      };
      return Math.abs(middle(row.querySelector(".name")) - middle(row));
    });
  await expect(her.row(silent)).toBeVisible();
  expect(await off()).toBeLessThan(2);
  await boris.say(silent, "Hello");
  await expect(her.row(silent)).toContainText("Hello");
  expect(await off()).toBeGreaterThan(5);
});

test("who was put out of a group still reads what it was called, and finds back", async ({ stage }) => {
  stage.expected.push(/status of 40[34] /);
  const anna = await stage.account("Anna");
  const boris = await stage.person("Boris");
  const group = await anna.group("The boat", [boris.account]);
  const his = await boris.enterDialog(group);
  const title = his.page.locator("main h1");
  await expect(title).toHaveText("The boat");
  await anna.ask("DELETE", `/api/dialogs/${group}/members/${boris.account.id}`);
  await expect(his.page.getByText("You cannot enter here")).toBeVisible();
  await expect(title).toHaveText("The boat");
  // One that he has never been in.
  await his.goto(`/d/${await anna.group("The crew", [])}`);
  await expect(his.page.getByText("You cannot enter here")).toBeVisible();
  await expect(title).toHaveText("Conversation");
  await his.page.locator("main").getByRole("button", { name: "Back" }).click();
  await expect(his.page).toHaveURL(/\/$/);
});
