// Posts the code of the link with what was typed in, and says what came of it, in the language of the browser.

/** What the page says in Russian; in English it says what is written in it. */
const RUSSIAN = {
  title: "Первый администратор",
  what: "По ссылке, которую напечатал сервер, один человек становится его первым администратором. Выберите, с чем будете входить.",
  login: "Логин",
  loginRule: "от 3 до 32 латинских букв, цифр и знаков . _ - (не первым)",
  name: "Имя, которое видят другие",
  password: "Пароль",
  passwordRule: "от 8 знаков; лучше несколько необычных слов",
  become: "Стать администратором",
  on: "К беседам",
};
/** What is said of the outcome; of errors, by their stable names, what the server says in English itself. */
const SAID = {
  en: { done: (login) => `You are the administrator now. Sign in as ${login}.` },
  ru: {
    done: (login) => `Теперь вы администратор. Войдите под логином ${login}.`,
    forbidden: "Ссылка уже использована, или сервер с тех пор запущен снова и напечатал новую.",
    weak_password: "Этот пароль легко угадать. Возьмите несколько необычных слов.",
    rate_limited: "Слишком много попыток. Подождите немного.",
    exists: "Этот логин занят.",
    bad_request: "Проверьте логин, имя и пароль: что-то в них не подходит.",
    other: "Не вышло. Попробуйте ещё раз.",
  },
};

const language = navigator.language.startsWith("ru") ? "ru" : "en";
const form = document.getElementById("form");
const said = document.getElementById("said");
const code = new URLSearchParams(location.search).get("code") ?? "";
// The code is for once: it need not stay in the address, the history, or a picture of the screen.
history.replaceState(null, "", location.pathname);

if (language === "ru") {
  document.documentElement.lang = "ru";
  document.title = `Konvert: ${RUSSIAN.title.toLowerCase()}`;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = RUSSIAN[element.dataset.word];
}

/** Sends JSON; the answer's body, or its problem thrown. */
async function post(path, body, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw Object.assign(new Error(answer.detail ?? response.statusText), { name: answer.name });
  return answer;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "…";
  const { login, name, password } = Object.fromEntries(new FormData(form));
  const words = SAID[language];
  try {
    const signedIn = await post("/api/auth/first-administrator", { code, login, name, password });
    form.hidden = true;
    said.textContent = words.done(signedIn.user.login);
    document.getElementById("on").hidden = false;
    // This page keeps nothing, so that nobody finds it signed in.
    await post("/api/auth/sign-out", null, signedIn.access_token).catch(() => {});
  } catch (error) {
    said.textContent = words[error.name] ?? words.other ?? error.message;
    button.disabled = false;
  }
});
