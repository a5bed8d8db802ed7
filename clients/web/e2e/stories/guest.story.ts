// Guests look around in the lobby; whoever has an invite comes through the door into the group.
import { expect, test } from "../support/stage.ts";

test("a guest comes into the lobby and talks with somebody who is there", async ({ stage }) => {
  const said: string[] = [];
  const apps = [];
  for (const name of ["Gast", "Гость"]) {
    const { app } = await stage.visitor();
    await app.goto("/");
    const form = app.page.locator("[data-form=guest]");
    if (!(await form.isVisible()))
      await app.page
        .getByRole("button", { name: /guest/i })
        .or(app.page.getByRole("link", { name: /guest/i }))
        .first()
        .click();
    await form.locator("input[name=name]").fill(name);
    await form.locator("[type=submit]").click();
    await app.isOnline();
    await expect(app.composer).toBeVisible();
    apps.push(app);
  }
  const [one, two] = apps as [(typeof apps)[0], (typeof apps)[0]];
  for (let i = 0; i < 3; i++) {
    for (const [app, name] of [
      [one, "Gast"],
      [two, "Гость"],
    ] as const) {
      said.push(`${name} ${i}`);
      await app.say(`${name} ${i}`);
      for (const each of apps) await expect(each.message(`${name} ${i}`)).toHaveCount(1);
    }
  }
  for (const app of apps) {
    expect((await app.look()).map(({ text }) => text)).toEqual(said);
    // The last may be known to the other one before its author hears that it is stored.
    await expect.poll(async () => (await app.look()).map(({ offset }) => offset)).toEqual(said.map((_, i) => i + 1));
  }
  // A reload is the same guest.
  await one.page.reload();
  await one.isOnline();
  await one.say("still me");
  await expect(two.message("still me")).toBeVisible();
  await expect(one.message("still me")).toHaveAttribute("data-ticks", /stored|delivered|read/);
  await expect(one.message("Gast 0")).toHaveAttribute("data-ticks", /./);
});

test("the lobby's row counts what was said there since one left it", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const his = await boris.enter();
  await his.goto("/room/lobby");
  await his.isOpen("lobby");
  const her = await anna.enter();
  // To whoever was never there nothing is new, not even when what was said afterwards has come.
  await expect(her.row("lobby")).toBeVisible();
  await his.say("for those who are here");
  await expect(his.message("for those who are here")).toHaveAttribute("data-ticks", /stored|delivered|read/);
  const dialog = await boris.account.dialogWith(anna.account);
  await boris.account.say(dialog, "afterwards");
  await expect(her.row(dialog)).toHaveAttribute("data-unread", "1");
  await expect(her.row("lobby")).toHaveAttribute("data-unread", "0");
  await her.openDialog("lobby");
  await expect(her.message("for those who are here")).toBeVisible();
  await expect(his.page.getByText("2 here")).toBeVisible();
  await her.goto("/");
  await her.isOnline();
  // Following it from afar is not being there.
  await expect(his.page.getByText("1 here")).toBeVisible();
  for (const [i, text] of ["one", "two"].entries()) {
    await his.say(text);
    await expect(her.row("lobby")).toHaveAttribute("data-unread", String(i + 1));
  }
  await her.openDialog("lobby");
  await expect(her.message("two")).toBeVisible();
  await expect(her.row("lobby")).toHaveAttribute("data-unread", "0");
  await her.goto("/");
  await her.isOnline();
  // Counted from where she was, and it does count.
  await expect(his.page.getByText("1 here")).toBeVisible();
  await his.say("three");
  await expect(her.row("lobby")).toHaveAttribute("data-unread", "1");
});

test("an invite leads through the door into the group", async ({ stage }) => {
  const anna = await stage.account("Anna");
  const group = await anna.group("The boat", []);
  await anna.say(group, "Welcome aboard");
  const { secret } = await anna.ask<{ secret: string }>("POST", `/api/dialogs/${group}/invites`, {});
  const boris = await stage.person("Boris");
  const his = await boris.tab(`/invite/${secret}`);
  const form = his.page.locator("[data-form=sign-in]");
  await expect(form).toBeVisible();
  await his.signIn(boris.account);
  const join = his.page.getByRole("button", { name: /join/i });
  await expect(join.or(his.page.locator(`[data-conversation="${group}"]`)).first()).toBeVisible();
  if (await join.count()) await join.click();
  await his.isOpen(group);
  await expect(his.message("Welcome aboard")).toBeVisible();
  await his.say("Thank you");
  await expect(his.message("Thank you")).toHaveAttribute("data-ticks", /stored|delivered|read/);
});

test("signing up by the form leads to an empty list that says what to do", async ({ stage }) => {
  const { app } = await stage.visitor();
  await app.goto("/");
  const form = app.page.locator("[data-form=sign-up]");
  if (!(await form.isVisible()))
    await app.page
      .getByRole("button", { name: /create account/i })
      .or(app.page.getByRole("link", { name: /create account/i }))
      .first()
      .click();
  await form.locator("input[name=name]").fill("Vera");
  await form.locator("input[name=login]").fill("vera");
  await form.locator("input[name=password]").fill("violet-anchor-47-harvest");
  await form.locator("[type=submit]").click();
  await app.isOnline();
  await expect(app.page.getByText("No conversations yet").or(app.page.getByText("Choose a conversation")).first()).toBeVisible();
});

test("a wrong password is told, and the form keeps what was typed", async ({ stage }) => {
  stage.expected.push(/status of 40/);
  const anna = await stage.person("Anna");
  const her = await anna.tab();
  const form = her.page.locator("[data-form=sign-in]");
  await form.locator("input[name=login]").fill(anna.account.login);
  await form.locator("input[name=password]").fill("something else");
  await form.locator("[type=submit]").click();
  await expect(her.page.getByRole("alert").filter({ hasText: /wrong login or password/i })).toBeVisible();
  await expect(form.locator("input[name=login]")).toHaveValue(anna.account.login);
});
