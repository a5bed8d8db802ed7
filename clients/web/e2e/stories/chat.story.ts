// Two people chat: what one says the other sees at once; receipts, unread, typing and presence follow.
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("two people chat; receipts and unread follow", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Борис", { language: "ru" });
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enter();
  const said: string[] = [];

  // He is in his list, not in the dialog: each message counts as unread, and she sees that it is not read.
  for (const [i, text] of ["Hello!", "Привет, Борис 🦀", "Are you there?"].entries()) {
    await her.say(text);
    said.push(text);
    await expect(his.row(dialog)).toHaveAttribute("data-unread", String(i + 1));
    await expect(her.message(text)).toHaveAttribute("data-ticks", /^(stored|delivered)$/);
  }
  await expect.poll(async () => (await boris.account.dialog(dialog)).unread).toBe(3);

  // He looks: nothing is unread any more, on his side, on the server and on hers.
  await his.openDialog(dialog);
  await expect(his.message("Are you there?")).toBeVisible();
  await expect(his.row(dialog)).toHaveAttribute("data-unread", "0");
  for (const text of said) await expect(her.message(text)).toHaveAttribute("data-ticks", "read");
  await expect.poll(async () => (await boris.account.dialog(dialog)).unread).toBe(0);

  // He types, and she sees it before he has said anything; then he says it.
  await his.composer.pressSequentially("Here I");
  await expect(her.page.getByText(/typing…/)).toBeVisible();
  await his.composer.pressSequentially(" am");
  await his.composer.press("Enter");
  await expect(her.message("Here I am")).toBeVisible();
  await expect(his.message("Here I am")).toHaveAttribute("data-ticks", "read");
  await expect(her.page.getByText(/typing…/)).toBeHidden();

  await expectAllIsWell(dialog, [
    { account: anna.account, app: her, said },
    { account: boris.account, app: his, said: ["Here I am"] },
  ]);
});

test("a reload shows the same", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  for (let i = 1; i <= 30; i++) await (i % 3 ? boris : anna.account).say(dialog, `message ${i}`);
  const her = await anna.enterDialog(dialog);
  await her.say("and one more");
  await her.isSettled(anna.account, dialog);
  await her.page.reload();
  await her.isOnline();
  await her.isOpen(dialog);
  await her.isSettled(anna.account, dialog);
  expect(await her.faults(anna.account, dialog)).toEqual([]);
});

test("an edit, a reaction, a reply and a delete are seen by the other one", async ({ stage }) => {
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const first = await anna.account.say(dialog, "frist");
  const his = await boris.enterDialog(dialog);
  await expect(his.message("frist")).toBeVisible();
  const path = `/api/dialogs/${dialog}/messages/${first}`;
  await anna.account.ask("PUT", path, { text: "first" });
  await expect(his.message("first")).toBeVisible();
  await anna.account.ask("POST", `${path}/reactions`, { text: "👍" });
  await expect(his.message("first")).toContainText("👍");
  await anna.account.say(dialog, "an answer", { relation: { kind: "reply", offset: first } });
  await expect(his.message("an answer")).toContainText("first");
  await anna.account.ask("DELETE", path);
  await expect(his.message("first")).toHaveCount(0);
  await expect(his.page.locator(`[data-offset="${first}"]`)).not.toContainText("first");
});
