// What is refused is said in the person's language, where it happened, and moves nothing; what can be known before is
// not even sent.
import type { Locator } from "@playwright/test";
import { expect, type Stage, test } from "../support/stage.ts";

/** The browser tells of each refusal in its console. */
const expectRefusals = (stage: Stage) => stage.expected.push(/the server responded with a status of 4\d\d/);

/** Words of the server, which are for who writes programs. */
const LATIN = /[a-z]{4,}/i;

async function isWrong(field: Locator): Promise<void> {
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await expect(field).toBeFocused();
}

test("a new account: what is wrong is said beside its field, and nothing is sent", async ({ stage }) => {
  const { app } = await stage.visitor({ language: "ru" });
  await app.goto("/door");
  await app.page.getByRole("button", { name: "Создать учётную запись" }).click();
  const form = app.page.locator("[data-form=sign-up]");
  const [name, login, password] = ["name", "login", "password"].map((of) => form.locator(`input[name=${of}]`)) as [
    Locator,
    Locator,
    Locator,
  ];
  const submit = form.locator("[type=submit]");
  let asked = 0;
  app.page.on("request", (request) => {
    if (request.url().includes("/api/auth/")) asked++;
  });
  const before = await submit.boundingBox();

  await submit.click();
  await isWrong(name);
  await expect(form.getByRole("alert").filter({ hasText: "Заполните это поле" })).toBeVisible();
  expect(await submit.boundingBox()).toEqual(before);

  await name.fill("Ж".repeat(35));
  await login.fill("ольга");
  await password.fill("коротко");
  await submit.click();
  await isWrong(name);
  for (const said of ["Длиннее допустимого на 3 знака", "Нужно 3–32 знака: a–z", "Не короче 8 знаков"])
    await expect(form.getByText(said)).toBeVisible();
  expect(await submit.boundingBox()).toEqual(before);
  expect(asked).toBe(0);

  await name.fill("Ж".repeat(32));
  await expect(name).toHaveAttribute("aria-invalid", "false");
  await login.fill("Olga.K");
  await password.fill("четыре слова не рядом");
  await submit.click();
  await app.isOnline();
});

test("a refused sign-in: the password is marked and at hand, the button stays, and one is told how long to wait", async ({ stage }) => {
  expectRefusals(stage);
  const anna = await stage.person("Anna", { language: "ru" });
  const app = await anna.tab("/door");
  const form = app.page.locator("[data-form=sign-in]");
  const submit = form.locator("[type=submit]");
  const before = await submit.boundingBox();
  await form.locator("input[name=login]").fill(anna.account.login);
  await form.locator("input[name=password]").fill("not the password");
  await submit.click();
  await expect(form.getByRole("alert")).toHaveText("Неверный логин или пароль.");
  await isWrong(form.locator("input[name=password]"));
  expect(await submit.boundingBox()).toEqual(before);

  const status = async () => {
    const body = JSON.stringify({ login: anna.account.login, password: "wrong" });
    return (await fetch(`${anna.network.url}/api/auth/sign-in`, { method: "POST", headers: { "content-type": "application/json" }, body }))
      .status;
  };
  for (let i = 0; i < 30 && (await status()) !== 429; i++);
  await submit.click();
  await expect(form.getByRole("alert")).toHaveText(/^Слишком много попыток\. Повторите через 1[0-5] минут\.$/);
  expect(await submit.boundingBox()).toEqual(before);
});

test("whoever is blocked is told so at the door", async ({ stage }) => {
  stage.expectOutages();
  expectRefusals(stage);
  const anna = await stage.person("Anna", { language: "ru" });
  const { server } = stage;
  const ask = async (method: string, path: string, body: object, token = "") => {
    const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
    expect(answer.ok, `${path}: ${answer.status}`).toBe(true);
    return answer.json().catch(() => null);
  };
  const [, code] = /first-administrator\?code=(\w+)/.exec(server.said) ?? [];
  const person = { login: "keeper", name: "Keeper", password: "four words of no kin" };
  const { access_token } = await ask("POST", "/api/auth/first-administrator", { code, ...person });
  await ask("PATCH", `/api/admin/users/${anna.account.id}`, { state: "blocked" }, access_token);
  const app = await anna.tab("/door");
  const form = app.page.locator("[data-form=sign-in]");
  await form.locator("input[name=login]").fill(anna.account.login);
  await form.locator("input[name=password]").fill(anna.account.password);
  await form.locator("[type=submit]").click();
  await expect(form.getByRole("alert")).toHaveText(/Эта учётная запись заблокирована/);
});

test("the settings: a wrong password is the password, and a name that is too long is the name", async ({ stage }) => {
  expectRefusals(stage);
  const anna = await stage.person("Anna", { language: "ru" });
  const app = await anna.enter();
  await app.goto("/settings");
  await app.page.getByText("Сменить пароль").first().click();
  const change = app.page.locator("[data-form=password]");
  await change.locator("input[name=old]").fill("not the password");
  await change.locator("input[name=new]").fill("four words of no kin");
  await change.locator("[type=submit]").click();
  await expect(change.getByRole("alert").filter({ hasText: "Текущий пароль введён неверно." })).toBeVisible();
  await expect(change.locator("input[name=old]")).toBeFocused();
  await change.locator("input[name=new]").fill("мало");
  await change.locator("[type=submit]").click();
  await isWrong(change.locator("input[name=new]"));

  const profile = app.page.locator("[data-form=profile]");
  await profile.locator("input[name=name]").fill("Ж".repeat(33));
  await profile.locator("[type=submit]").click();
  await isWrong(profile.locator("input[name=name]"));
  await expect(profile.getByText("Длиннее допустимого на 1 знак", { exact: true })).toBeVisible();
  await profile.locator("input[name=name]").fill("Ж".repeat(32));
  await profile.locator("[type=submit]").click();
  await expect(profile.getByText("Сохранено")).toBeVisible();
});

test("the last owner of a group is told what to do, and an empty file that it is empty", async ({ stage }) => {
  expectRefusals(stage);
  const anna = await stage.person("Anna", { language: "ru" });
  const boris = await stage.account("Boris");
  const group = await anna.account.group("Лодка", [boris]);
  const app = await anna.enterDialog(group);
  await app.files.setInputFiles({ name: "пусто.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) });
  await expect(app.page.getByRole("alert").filter({ hasText: "Этот файл пуст." })).toBeVisible();
  await app.page.locator(".conversation .bar").getByRole("button", { name: "Участники и настройки" }).click();
  await app.page.getByRole("button", { name: "Выйти из группы" }).click();
  const sure = app.page.getByRole("group", { name: "Выйти из группы" });
  await sure.getByRole("button", { name: "Выйти из группы" }).click();
  const said = sure.getByRole("alert");
  await expect(said).toHaveText(/Сначала назначьте другого владельца/);
  await expect(said).not.toHaveText(LATIN);
});
