// The network between a person and the server is cut, held, and broken in the middle of what is said.
import { CROWDED } from "../support/api.ts";
import { Chance } from "../support/chance.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

test("the network is cut and restored, again and again, while both go on talking", async ({ stage }) => {
  stage.expectOutages();
  const chance = new Chance();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  const sides = [
    { account: anna.account, app: her, said: [] as string[] },
    { account: boris.account, app: his, said: [] as string[] },
  ];
  for (let round = 0; round < 5; round++) {
    const cutAt = chance.below(8);
    for (let n = 0; n < 8; n++) {
      if (n === cutAt) anna.network.cut();
      for (const { account, app, said } of sides) {
        const text = `${account.name} ${round}.${n}`;
        said.push(text);
        await app.say(text);
      }
    }
    await her.isOffline();
    // He notices nothing of it.
    await his.isOnline();
    anna.network.restore();
    await her.isOnline();
  }
  await expectAllIsWell(dialog, sides);
});

test("a silent network is noticed, and what was said meanwhile arrives", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  anna.network.hold();
  await his.say("can you hear me?");
  await her.say("hello?");
  await expect(her.message("hello?")).toHaveAttribute("data-ticks", "pending");
  // The page finds out by itself: nothing tells it.
  await her.isOffline(120_000);
  anna.network.cut();
  anna.network.restore();
  await her.isOnline();
  await expect(her.message("can you hear me?")).toBeVisible();
  await expectAllIsWell(dialog, [
    { account: anna.account, app: her, said: ["hello?"] },
    { account: boris.account, app: his, said: ["can you hear me?"] },
  ]);
});

test("the browser says that it is offline, and online again", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  const her = await anna.enterDialog(dialog);
  await anna.context.setOffline(true);
  anna.network.cut();
  await her.isOffline();
  await her.say("from the tunnel");
  for (let i = 1; i <= 5; i++) await boris.say(dialog, `meanwhile ${i}`);
  anna.network.restore();
  await anna.context.setOffline(false);
  await her.isOnline();
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: ["from the tunnel"] }]);
});

test.describe("where many are let through", () => {
  test.use({ settings: CROWDED });
  test("a long absence is caught up", async ({ stage }) => {
    stage.expectOutages();
    const anna = await stage.person("Anna");
    const boris = await stage.account("Boris");
    const dialog = await anna.account.dialogWith(boris);
    const many = (count: number, text: string) => Array.from({ length: count }, (_, i) => `${text} ${i + 1}`);
    await boris.sayAll(dialog, many(20, "before"));
    const her = await anna.enterDialog(dialog);
    await her.isSettled(anna.account, dialog);
    anna.network.cut();
    await her.isOffline();
    await boris.sayAll(dialog, many(350, "meanwhile"));
    anna.network.restore();
    await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: [] }]);
  });
});
