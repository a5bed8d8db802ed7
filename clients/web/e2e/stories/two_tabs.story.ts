// Two tabs of one person: what one sends both show, once; one connection carries both; the other lives on alone.
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("two tabs of one person share a connection and show the same", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const first = await anna.enterDialog(dialog);
  const second = await anna.tab(`/d/${dialog}`);
  await second.isOnline();
  await second.isOpen(dialog);
  const his = await boris.enterDialog(dialog);
  expect(anna.network.webSocketCount).toBe(1);

  const said: string[] = [];
  for (let n = 0; n < 6; n++) {
    const tab = n % 2 ? first : second;
    await tab.say(`from tab ${n % 2}: ${n}`);
    said.push(`from tab ${n % 2}: ${n}`);
    // Each waits for the other: two tabs that write at once have no order.
    for (const one of [first, second]) {
      await expect(one.message(said.at(-1) ?? "")).toHaveCount(1);
      await expect(one.message(said.at(-1) ?? "")).toHaveAttribute("data-ticks", /stored|delivered|read/);
    }
  }
  await his.say("I see one of you");
  for (const one of [first, second]) await expect(one.message("I see one of you")).toHaveCount(1);
  expect(anna.network.webSocketCount).toBe(1);

  // The one that holds the connection goes; the other takes it over.
  await first.page.close();
  await second.isOnline();
  await second.say("and now there is one");
  said.push("and now there is one");
  await expect(his.message("and now there is one")).toBeVisible();
  await expect.poll(() => anna.network.webSocketCount).toBe(1);
  await expectAllIsWell(dialog, [
    { account: anna.account, app: second, said },
    { account: boris.account, app: his, said: ["I see one of you"] },
  ]);
});

test("what is read in one tab is read in the other; signing out ends both", async ({ stage }) => {
  stage.expected.push(/status of 401/);
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  const first = await anna.enter();
  const second = await anna.tab();
  await second.isOnline();
  await boris.say(dialog, "for both of you");
  for (const one of [first, second]) await expect(one.row(dialog)).toHaveAttribute("data-unread", "1");
  await first.page.bringToFront();
  await first.openDialog(dialog);
  for (const one of [first, second]) await expect(one.row(dialog)).toHaveAttribute("data-unread", "0");
  await first.goto("/settings");
  await first.page.getByRole("button", { name: /^sign out$/i }).click();
  for (const one of [first, second]) await expect(one.page.locator("[data-form=sign-in]")).toBeVisible();
});
