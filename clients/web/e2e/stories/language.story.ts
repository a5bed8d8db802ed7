// English and Russian: by the browser's wish, by the person's choice, and kept over a reload.
import type { App } from "../support/app.ts";
import { expect, test } from "../support/stage.ts";

const cyrillic = /[а-яё]/i;

/** Words of the app itself, in what is shown and in what is told to screen readers; what people said is left out. */
function words(app: App): Promise<string[]> {
  return app.page.evaluate(() => {
    const found: string[] = [];
    // Names of people and languages, what was said, and keys are as they are in every language.
    const left = "[data-part=text], [data-message-id], [data-dialog], option, kbd, [lang], noscript, script, style, [data-part=name]";
    for (const one of document.querySelectorAll("body *")) {
      if (one.closest(left)) continue;
      for (const name of ["aria-label", "placeholder", "title", "alt"]) found.push(one.getAttribute(name) ?? "");
      for (const node of one.childNodes) if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent ?? "");
    }
    return [...new Set(found.map((text) => text.trim()))].filter((text) => /[a-zа-яё]{3}/i.test(text));
  });
}

test("the browser's language is the app's first", async ({ stage }) => {
  for (const [language, word] of [
    ["en", "Sign in"],
    ["ru", "Войти"],
  ] as const) {
    const { app } = await stage.visitor({ language });
    await app.goto("/");
    await expect(app.page.locator("html")).toHaveAttribute("lang", language);
    await expect(app.page.locator("[data-form=sign-in] [type=submit]")).toContainText(word);
  }
});

test("the language is switched, everywhere at once, and stays so", async ({ stage }) => {
  const anna = await stage.person("Ann");
  const dialog = await anna.account.dialogWith(await stage.account("Bob"));
  await anna.account.say(dialog, "Hello");
  const her = await anna.enterDialog(dialog);
  await expect(her.message("Hello")).toBeVisible();
  expect((await words(her)).filter((text) => cyrillic.test(text))).toEqual([]);

  await her.page.getByRole("link", { name: "Settings" }).first().click();
  const choice = her.page.getByRole("combobox", { name: "Language" });
  const radio = her.page.getByRole("radio", { name: "Русский" });
  const button = her.page.getByRole("button", { name: "Русский" });
  await expect(choice.or(radio).or(button).first()).toBeVisible();
  if (await choice.count()) await choice.selectOption({ label: "Русский" });
  else await radio.or(button).first().click();
  await expect(her.page.locator("html")).toHaveAttribute("lang", "ru");
  await expect(her.page.getByRole("heading", { name: "Настройки" }).first()).toBeVisible();

  await her.goto(`/d/${dialog}`);
  await her.isOnline();
  await her.isOpen(dialog);
  await expect(her.page.locator("html")).toHaveAttribute("lang", "ru");
  await expect(her.message("Hello")).toBeVisible();
  const left = (await words(her)).filter((text) => !cyrillic.test(text) && !["Konvert", "Ann", "Bob"].includes(text));
  expect(left, "not translated").toEqual([]);
});

test("Russian numbers are told as Russians tell them", async ({ stage }) => {
  const anna = await stage.person("Анна", { language: "ru" });
  const boris = await stage.account("Борис");
  const dialog = await anna.account.dialogWith(boris);
  const her = await anna.enter();
  for (const [count, words] of [
    [1, /1 непрочитанное сообщение/],
    [2, /2 непрочитанных сообщения/],
    [5, /5 непрочитанных сообщений/],
    [21, /21 непрочитанное сообщение/],
  ] as const) {
    while ((await anna.account.dialog(dialog)).unread < count) await boris.say(dialog, "ещё одно");
    await expect(her.row(dialog)).toHaveAttribute("data-unread", String(count));
    await expect(her.row(dialog).getByText(words).or(her.row(dialog).getByLabel(words)).first()).toBeAttached();
  }
});
