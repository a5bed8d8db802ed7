// Sheets over the page: what lies below is the same before and after, and whatever is in them can be reached.
import type { App } from "../support/app.ts";
import { expect, test } from "../support/stage.ts";

/** Where everything of a message is, and what it is painted on. */
const drawn = ({ messages }: App) =>
  messages.last().evaluate((message) =>
    [message, ...message.querySelectorAll("*")].map((part) => {
      const { x, y, width, height } = part.getBoundingClientRect();
      const { backgroundColor, boxShadow, borderTopWidth } = getComputedStyle(part);
      return [part.tagName, x, y, width, height, backgroundColor, boxShadow, borderTopWidth].join(" ");
    }),
  );

for (const isPhone of [false, true]) {
  test(`a conversation looks the same after sheets were open: ${isPhone ? "phone" : "laptop"}`, async ({ stage }) => {
    const anna = await stage.person("Anna", { isPhone });
    const boris = await stage.account("Boris");
    const group = await anna.account.group("The boat", [boris]);
    await boris.say(group, "Who sails?");
    await anna.account.say(group, "I do");
    const her = await anna.enterDialog(group);
    await expect(her.message("I do")).toBeVisible();
    await her.isStill();
    const before = await drawn(her);
    await her.page.getByRole("button", { name: "Members and settings" }).click();
    const sheet = her.page.getByRole("dialog");
    await expect(sheet.getByText("Boris")).toBeVisible();
    await sheet.getByRole("button", { name: "Close" }).click();
    await expect(sheet).toBeHidden();
    // The pointer stands elsewhere than before.
    await her.isStill();
    expect(await drawn(her)).toEqual(before);
  });
}

test("all of a sheet is reached in a short window", async ({ stage }) => {
  const anna = await stage.person("Anna", { size: { width: 1280, height: 600 } });
  const group = await anna.account.group("The boat", [
    await stage.account("Boris"),
    await stage.account("Vera"),
    await stage.account("Gleb"),
  ]);
  const her = await anna.enterDialog(group);
  await her.page.getByRole("button", { name: "Members and settings" }).click();
  const sheet = her.page.getByRole("dialog");
  await expect(sheet.getByText("Gleb")).toBeVisible();
  const end = sheet.getByRole("button", { name: "Delete group" });
  await sheet.getByText("Gleb").hover();
  // By the wheel: only what truly scrolls comes into sight.
  await expect(async () => {
    await her.page.mouse.wheel(0, 400);
    await expect(end).toBeInViewport({ ratio: 0.95, timeout: 100 });
  }).toPass({ timeout: 30_000 });
  const seen = await end.evaluate((button) => {
    const { left, top, width, height } = button.getBoundingClientRect();
    return button.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
  expect(seen, "nothing covers it").toBe(true);
});

test("a refusal that comes in below what is seen is brought into sight", async ({ stage }) => {
  stage.expected.push(/status of 4(00|03|09|22) /);
  const anna = await stage.person("Anna", { size: { width: 1280, height: 600 } });
  const group = await anna.account.group("The boat", [await stage.account("Boris"), await stage.account("Vera")]);
  const her = await anna.enterDialog(group);
  await her.page.getByRole("button", { name: "Members and settings" }).click();
  const sheet = her.page.getByRole("dialog");
  await sheet.getByRole("button", { name: "Leave group" }).click();
  // Its only owner may not.
  await sheet.getByRole("group", { name: "Leave group" }).getByRole("button", { name: "Leave group" }).click();
  // All of it but a part of a pixel.
  await expect(sheet.getByRole("group", { name: "Leave group" }).getByRole("alert")).toBeInViewport({ ratio: 0.95 });
});
