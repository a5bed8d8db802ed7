// A laptop sleeps for an hour while the access token (15 minutes) ends: the clocks of the page and of the server are
// moved, the connection is dead, and timers that were due fire at once.
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

const HOUR_S = 3600;

test.use({ hasMovableClock: true });

test("the token ends while the laptop sleeps", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await anna.context.clock.install();
  const her = await anna.enterDialog(dialog);
  await her.say("good night");
  await her.isSettled(anna.account, dialog);
  const refreshes = anna.network.count("POST", "/api/auth/refresh");

  anna.network.hold();
  stage.server.moveClock(HOUR_S);
  await Promise.all([boris.signInAgain(), anna.account.signInAgain()]);
  await boris.say(dialog, "while you slept");
  // The network is back before the lid is open.
  anna.network.cut();
  anna.network.restore();
  await anna.context.clock.fastForward(HOUR_S * 1000);

  await her.isOnline();
  await expect(her.message("while you slept")).toBeVisible();
  await her.say("good morning");
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: ["good night", "good morning"] }]);
  expect(anna.network.count("POST", "/api/auth/refresh") - refreshes, "one new token was asked for").toBe(1);
});

test("two tabs wake up at once, and neither is signed out", async ({ stage }) => {
  stage.expectOutages();
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await anna.context.clock.install();
  const tabs = [await anna.enterDialog(dialog), await anna.tab(`/d/${dialog}`)];
  for (const tab of tabs) await tab.isOnline();
  const refreshes = anna.network.count("POST", "/api/auth/refresh");
  anna.network.cut();
  for (const tab of tabs) await tab.isOffline();
  stage.server.moveClock(HOUR_S);
  await Promise.all([boris.signInAgain(), anna.account.signInAgain()]);
  await anna.context.clock.fastForward(HOUR_S * 1000);
  anna.network.restore();
  for (const tab of tabs) await tab.isOnline();
  await boris.say(dialog, "for both");
  for (const tab of tabs) await expect(tab.message("for both")).toHaveCount(1);
  expect(anna.network.count("POST", "/api/auth/refresh") - refreshes, "one new token was asked for").toBe(1);
});

for (const hours of [2, -2]) {
  test(`a device whose clock is ${hours} hours off chats, and does not ask for tokens all the time`, async ({ stage }) => {
    const anna = await stage.person("Anna");
    const dialog = await anna.account.dialogWith(await stage.account("Boris"));
    await anna.context.clock.install({ time: Date.now() + hours * HOUR_S * 1000 });
    const her = await anna.enterDialog(dialog);
    const said = [1, 2, 3, 4, 5].map((n) => `number ${n}`);
    for (const text of said) await her.say(text);
    await expectAllIsWell(dialog, [{ account: anna.account, app: her, said }]);
    await her.page.reload();
    await her.isOnline();
    await her.isSettled(anna.account, dialog);
    expect(anna.network.count("POST", "/api/auth/refresh")).toBeLessThanOrEqual(2);
  });
}
