// An account over several devices: what is changed on one shows on the others, and a sign-in that is ended is out at once.
import { expect, Person, type Stage, test } from "../support/stage.ts";

/** Another device of the same person. */
async function anotherDevice(of: Person, stage: Stage): Promise<Person> {
  return new Person(of.account, of.network, await stage.browser(), stage);
}

test("a sign-in that is ended on another device is out at once, and that one stays", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const laptop = await anna.enter();
  const phone = await (await anotherDevice(anna, stage)).enter();
  await phone.goto("/settings");
  const session = await phone.page.locator("[data-session]", { hasText: "This device" }).getAttribute("data-session");
  await laptop.goto("/settings");
  const row = laptop.page.locator(`[data-session="${session}"]`);
  await row.getByRole("button", { name: /^Sign out on/ }).click();
  await expect(row).toHaveCount(0);
  await expect(phone.page.locator("[data-form=sign-in]")).toBeVisible();
  await expect(phone.page.getByText("Your sign-in has ended")).toBeVisible();
  await laptop.page.reload();
  await laptop.isOnline();
});

test("a sign-in that is ended while the list of them is read anew is gone, and stays so", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const laptop = await anna.enter();
  await (await anotherDevice(anna, stage)).enter();
  await laptop.goto("/settings");
  const rows = laptop.page.locator("[data-session]");
  const count = await seen(rows, 2);
  // The list that is read when the network is back comes later than all that follows.
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  let asked = 0;
  anna.network.onRequest = (method, path) => (method === "GET" && path === "/api/auth/sessions" && !asked++ ? held : undefined);
  anna.network.cut();
  await laptop.isOffline();
  anna.network.restore();
  await expect.poll(() => asked).toBe(1);
  await rows
    .getByRole("button", { name: /^Sign out on/ })
    .first()
    .click();
  await expect(rows).toHaveCount(count - 1);
  const passed = () => anna.network.count("GET", "/api/auth/sessions");
  const before = passed();
  answer();
  await expect.poll(passed).toBe(before + 1);
  await laptop.frame();
  await expect(rows).toHaveCount(count - 1);
});

test("signing out everywhere ends every sign-in, this one too", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const laptop = await anna.enter();
  const phone = await (await anotherDevice(anna, stage)).enter();
  await laptop.goto("/settings");
  const { page } = laptop;
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("group", { name: "Sign out everywhere" }).getByRole("button", { name: "Sign out everywhere" }).click();
  for (const app of [laptop, phone]) await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  for (const app of [laptop, phone]) {
    await app.page.reload();
    await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  }
  await laptop.signIn(anna.account);
});

test("a deleted account is out, cannot come back, and its name is gone where it spoke", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna Ahrend");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  await her.say("before I go");
  const his = await boris.enterDialog(dialog);
  await expect(his.message("before I go")).toBeVisible();
  await expect(his.row(dialog)).toContainText("Anna Ahrend");

  await her.goto("/settings");
  const form = her.page.locator("[data-form=delete]");
  await her.page.getByText("Delete account").click();
  await form.locator("input[name=password]").fill("something else");
  await form.getByRole("button", { name: "Delete it for good" }).click();
  await expect(form.getByRole("alert").filter({ hasText: "This password is wrong" })).toBeVisible();
  await form.locator("input[name=password]").fill(anna.account.password);
  await form.getByRole("button", { name: "Delete it for good" }).click();
  const door = her.page.locator("[data-form=sign-in]");
  await expect(door).toBeVisible();
  await door.locator("input[name=login]").fill(anna.account.login);
  await door.locator("input[name=password]").fill(anna.account.password);
  await door.locator("[type=submit]").click();
  await expect(her.page.getByRole("alert").filter({ hasText: "Wrong login or password" })).toBeVisible();

  await his.page.reload();
  await his.isOnline();
  await expect(his.message("before I go")).toBeVisible();
  await expect(his.page.getByText("Anna Ahrend")).toHaveCount(0);
});

test("a new name and picture show on all of one's screens", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const laptop = await anna.enter();
  const second = await anna.tab("/");
  const phone = await (await anotherDevice(anna, stage)).enter();
  for (const app of [second, phone]) await expect(app.page.locator(".list-foot .name")).toHaveText("Anna");
  await laptop.goto("/settings");
  const form = laptop.page.locator("[data-form=profile]");
  await form.locator("input[name=name]").fill("Anna K.");
  await form.locator("input[name=avatar]").setInputFiles({ name: "me.svg", mimeType: "image/svg+xml", buffer: Buffer.from("no picture") });
  await expect(form.getByText("This file is not a picture")).toBeVisible();
  await form.locator("input[name=avatar]").setInputFiles("public/icon-192.png");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByText("Saved")).toBeVisible();
  for (const app of [laptop, second, phone]) {
    await expect(app.page.locator(".list-foot .name")).toHaveText("Anna K.");
    await isDrawn(app.page.locator(".list-foot .face img"));
  }
});

test("nobody saves without the picture that was chosen", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const laptop = await anna.enter();
  await laptop.goto("/settings");
  const form = laptop.page.locator("[data-form=profile]");
  const save = form.getByRole("button", { name: "Save" });
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  anna.network.onRequest = (method) => (method === "PATCH" ? held : undefined);
  await form.locator("input[name=name]").fill("Anna K.");
  await form.locator("input[name=avatar]").setInputFiles("public/icon-192.png");
  await expect(save).toBeDisabled();
  go();
  await save.click();
  await expect(form.getByText("Saved")).toBeVisible();
  expect(await anna.account.ask<{ name: string; avatar: string | null }>("GET", "/api/auth/me")).toMatchObject({
    name: "Anna K.",
    avatar: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("the picture of a group is seen by its members, and is gone when it is taken away", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const group = await anna.account.group("The boat", [boris.account]);
  const his = await boris.enter();
  const her = await anna.enterDialog(group);
  const { page } = her;
  const edit = async (change: () => Promise<unknown>) => {
    await page.getByRole("button", { name: "Edit", exact: true }).click();
    await change();
    await page.locator("[data-form=group]").getByRole("button", { name: "Save" }).click();
    await expect(page.locator("[data-form=group]")).toHaveCount(0);
  };
  await page
    .getByRole("banner")
    .getByRole("button", { name: "Members and settings" })
    .or(page.locator(".bar").getByRole("button", { name: "Members and settings" }))
    .first()
    .click();
  await edit(async () => {
    await page.locator("[data-form=group] input[name=avatar]").setInputFiles("public/icon-192.png");
    await isDrawn(page.locator("[data-form=group] .face img"));
  });
  await isDrawn(his.row(group).locator(".face img"));
  await edit(() => page.getByRole("button", { name: "Remove picture" }).click());
  await expect(his.row(group).locator(".face img")).toHaveCount(0);
});

/** How many there are, when there are so many at least. */
async function seen(rows: import("@playwright/test").Locator, least: number): Promise<number> {
  await expect.poll(() => rows.count()).toBeGreaterThanOrEqual(least);
  return rows.count();
}

/** A picture is there, and is one. */
async function isDrawn(picture: import("@playwright/test").Locator): Promise<void> {
  await expect(picture).toBeVisible();
  await expect.poll(() => picture.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0);
}
