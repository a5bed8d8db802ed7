// A tab is closed with unsent messages in it; the next tab sends them, once. The browser crashes; a new one does, too.
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("a tab is closed with unsent messages, and opened again", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const his = await boris.enterDialog(dialog);
  const first = await anna.enterDialog(dialog);
  await first.say("before the tunnel");
  await expect(his.message("before the tunnel")).toBeVisible();
  anna.network.cut();
  await first.isOffline();
  const said = ["before the tunnel", "one", "two", "three"];
  for (const text of said.slice(1)) {
    await first.say(text);
    await expect(first.message(text)).toHaveAttribute("data-ticks", "pending");
  }
  await first.page.close();
  expect((await boris.account.history(dialog)).length).toBe(1);
  anna.network.restore();
  const second = await anna.tab();
  await second.isOnline();
  await expect(his.message("three")).toBeVisible();
  await second.openDialog(dialog);
  await expectAllIsWell(dialog, [
    { account: anna.account, app: second, said },
    { account: boris.account, app: his, said: [] },
  ]);
});

test("a tab crashes in the middle of sending", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const his = await boris.enterDialog(dialog);
  const first = await anna.enterDialog(dialog);
  // Stored by the server, and never answered: what the next tab sends is the same message again.
  anna.network.deafen();
  await first.say("once");
  await expect(his.message("once")).toBeVisible();
  await expect(first.message("once")).toHaveAttribute("data-ticks", "pending");
  const session = await anna.context.newCDPSession(first.page);
  void session.send("Page.crash").catch(() => {});
  await first.page.waitForEvent("crash");
  await first.page.close();
  anna.network.cut();
  anna.network.restore();
  const second = await anna.tab(`/d/${dialog}`);
  await second.isOpen(dialog);
  await expectAllIsWell(dialog, [
    { account: anna.account, app: second, said: ["once"] },
    { account: boris.account, app: his, said: [] },
  ]);
});
