// Friend requests: asked, accepted, declined; and those one wants nothing of.
import type { App } from "../support/app.ts";
import { expect, type Person, test } from "../support/stage.ts";

const section = ({ page }: App, of: string) => page.locator(`[data-contacts=${of}]`);
const person = ({ page }: App, { account }: Person) => page.locator(`li[data-user="${account.id}"]`);

test("a friend request is seen at once, accepted, and ended again", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const his = await boris.enter();
  const her = await anna.enter();
  await her.page.getByRole("link", { name: "Contacts" }).click();
  await her.page.locator(".contacts").getByRole("searchbox", { name: "Find people" }).fill("Boris");
  await person(her, boris).getByRole("button", { name: "Add as friend" }).click();
  await expect(person(her, boris)).toHaveAttribute("data-state", "sent");

  // He is told where he is, and answers where he is led to.
  await his.page.getByRole("link", { name: "Contacts: 1 request waits" }).click();
  await section(his, "received").getByRole("button", { name: "Accept" }).click();
  await expect(section(his, "friend").locator(person(his, anna))).toBeVisible();
  await expect(his.page.getByRole("link", { name: "Contacts", exact: true })).toBeVisible();
  await expect(person(her, boris)).toHaveAttribute("data-state", "friend");

  await person(her, boris).getByRole("button", { name: "More about Boris" }).click();
  await her.page.getByRole("menuitem", { name: "Remove from friends" }).click();
  await expect(person(her, boris)).toHaveAttribute("data-state", "none");
  await expect(section(his, "friend")).toHaveCount(0);
});

test("a friend request is declined, and another one withdrawn", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const his = await boris.enter();
  const her = await anna.enter();
  await her.goto("/contacts");
  await his.goto("/contacts");
  const ask = async () => {
    await her.page.locator(".contacts").getByRole("searchbox", { name: "Find people" }).fill("Boris");
    await person(her, boris).getByRole("button", { name: "Add as friend" }).click();
    await expect(section(his, "received").locator(person(his, anna))).toBeVisible();
    await her.page.locator(".contacts").getByRole("searchbox", { name: "Find people" }).fill("");
    await expect(section(her, "sent").locator(person(her, boris))).toBeVisible();
  };
  await ask();
  await section(his, "received").getByRole("button", { name: "Decline" }).click();
  await expect(section(his, "received")).toHaveCount(0);
  await expect(section(her, "sent")).toHaveCount(0);
  await ask();
  await section(her, "sent").getByRole("button", { name: "Withdraw" }).click();
  await expect(section(her, "sent")).toHaveCount(0);
  await expect(section(his, "received")).toHaveCount(0);
});

test("nothing comes from somebody who is blocked, until that is taken back", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  await her.say("heard");
  await expect(his.message("heard")).toBeVisible();

  const menu = async (item: string) => {
    await his.page.locator(".bar").getByRole("button", { name: "What to do with Anna" }).click();
    await his.page.getByRole("menuitem", { name: item }).click();
  };
  // In the menu stands what was done: only then she writes.
  const menuHas = async (item: string) => {
    await his.page.locator(".bar").getByRole("button", { name: "What to do with Anna" }).click();
    await expect(his.page.getByRole("menuitem", { name: item, exact: true })).toBeVisible();
    await his.page.keyboard.press("Escape");
  };
  await menu("Block");
  await menuHas("Unblock");
  await her.say("not heard");
  await expect(her.message("not heard")).toHaveAttribute("data-ticks", "failed");
  expect((await boris.account.history(dialog)).map(({ text }) => text)).toEqual(["heard"]);

  await menu("Unblock");
  await menuHas("Block");
  await expect(her.composer).toBeVisible();
  await her.message("not heard").getByRole("button", { name: "Retry" }).click();
  await expect(his.message("not heard")).toBeVisible();
  await expect(her.message("not heard")).toHaveAttribute("data-ticks", /stored|delivered|read/);
});

test("on a phone the answers to a request stand beside each other", async ({ stage }) => {
  const anna = await stage.account("Anna Preobrazhenskaya");
  const boris = await stage.person("Boris", { isPhone: true, language: "ru" });
  await anna.ask("POST", `/api/contacts/${boris.account.id}/request`);
  const his = await boris.enter();
  await his.goto("/contacts");
  const request = his.page.locator(`[data-contacts=received] li[data-user="${anna.id}"]`);
  await expect(request).toBeVisible();
  const tops = await request.getByRole("button").evaluateAll((acts) => acts.map((act) => Math.round(act.getBoundingClientRect().top)));
  expect(tops.length).toBe(4);
  expect(Math.max(...tops) - Math.min(...tops)).toBeLessThan(3);
  const name = await request.locator("b").evaluate((one) => one.scrollWidth <= one.clientWidth);
  expect(name, "the whole name is read").toBe(true);
});
