// The server is killed in the middle of a conversation, at random places, and started again; it is stopped in good order;
// it loses everything it had.
import { Chance } from "../support/chance.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("the server is killed in the middle of a conversation, again and again", async ({ stage }) => {
  stage.expectOutages();
  const chance = new Chance();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const sides = [
    { account: anna.account, app: await anna.enterDialog(dialog), said: [] as string[] },
    { account: boris.account, app: await boris.enterDialog(dialog), said: [] as string[] },
  ];
  for (let round = 0; round < 6; round++) {
    const killAt = chance.below(12);
    let killed: Promise<void> = Promise.resolve();
    for (let n = 0; n < 12; n++) {
      const side = sides[chance.below(2)];
      const text = `${side?.account.name} ${round}.${n}`;
      side?.said.push(text);
      await side?.app.say(text);
      // Not waited for: the next messages are typed while it dies.
      if (n === killAt) {
        const delayMs = chance.below(30);
        killed = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => stage.server.kill());
      }
    }
    await killed;
    for (const { app } of sides) await app.isOffline();
    // Said while nobody listens, too.
    await sides[0]?.app.say(`while it is dead ${round}`);
    sides[0]?.said.push(`while it is dead ${round}`);
    await stage.server.startAgain();
    for (const { app } of sides) await app.isOnline();
  }
  await expectAllIsWell(dialog, sides);
});

test("what waits is shown as waiting, and its ticks tell the truth afterwards", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await her.say("before");
  await expect(her.message("before")).toHaveAttribute("data-ticks", /stored|delivered/);
  await stage.server.kill();
  await her.isOffline();
  await her.say("meanwhile");
  await expect(her.message("meanwhile")).toHaveAttribute("data-ticks", "pending");
  await expect(her.message("meanwhile")).not.toHaveAttribute("data-offset", /./);
  await stage.server.startAgain();
  await expect(her.message("meanwhile")).toHaveAttribute("data-ticks", /stored|delivered/, { timeout: 45_000 });
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: ["before", "meanwhile"] }]);
});

test("stored, but the answer never arrived: it is there once", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  // What she sends arrives, what comes back to her does not.
  anna.network.deafen();
  await her.say("stored, but who knows");
  await expect(his.message("stored, but who knows")).toBeVisible();
  await expect(her.message("stored, but who knows")).toHaveAttribute("data-ticks", "pending");
  anna.network.cut();
  await her.isOffline();
  anna.network.restore();
  await expect(her.message("stored, but who knows")).not.toHaveAttribute("data-ticks", "pending", { timeout: 45_000 });
  await expectAllIsWell(dialog, [
    { account: anna.account, app: her, said: ["stored, but who knows"] },
    { account: boris.account, app: his, said: [] },
  ]);
});

test("a stop in good order is told, and followed by a quick return", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await her.say("before");
  await her.isSettled(anna.account, dialog);
  expect(await stage.server.stop()).toBe(0);
  await her.isOffline();
  await stage.server.startAgain();
  await her.isOnline();
  await her.say("after");
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: ["before", "after"] }]);
});

test("a server that has forgotten everything leads back to the door", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await her.say("before");
  await her.isSettled(anna.account, dialog);
  await stage.server.kill();
  stage.server.forgetEverything();
  await stage.server.startAgain();
  await expect(her.page.locator("[data-form=sign-in]")).toBeVisible({ timeout: 45_000 });
});
