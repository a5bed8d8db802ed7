// Every word that the page says, in each of its languages. Knows nothing else.

const WORDS = {
  en: {
    language: "Русский", welcome: "One room, open to everybody here.", your_name: "What should we call you?",
    enter: "Come in", leave: "Leave", here_now: "Here now", message: "Message", placeholder: "Write a message",
    send: "Send", try_now: "Try now",
    online: "Connected", connecting: "Connecting…", catching_up: "Catching up…", offline: "This device is offline",
    waiting: "No connection", retry_in: (s) => `, retry in ${s} s`, stopped: "Disconnected",
    sending: "sending", not_sent: "Not sent", retry: "Retry", remove: "Remove", edited: "edited",
    deleted: "Message deleted", data: "Binary data", you: "you", today: "Today", yesterday: "Yesterday",
    empty: "Nothing here yet. Say the first word.", beginning: "This is where it all begins.",
    trimmed: "Older messages are no longer kept.", older: "Loading older messages…",
    lost: "Some messages were removed by the server before they could be shown.",
    reset: "The server's history was rewritten. What you see now is what it has.",
    new_identity: "Your visit had ended, so you came in again as a new guest.",
    down: (n) => (n ? `${n} new ↓` : "To the newest ↓"),
    typing: (names) => names.length === 1 ? `${names[0]} is typing…`
      : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…",
    and_more: (n) => `and ${n} more`,
    refused: {
      guests_not_allowed: "This server lets no guests in.", bad_name: "That name is not possible here. Try another.",
      not_allowed: "You may not enter this room.", unknown_room: "There is no such room.",
      payload_too_large: "too long", rate_limited: "Too fast. Wait a moment.",
    },
  },
  ru: {
    language: "English", welcome: "Одна комната, открытая для всех.", your_name: "Как вас называть?",
    enter: "Войти", leave: "Выйти", here_now: "Сейчас здесь", message: "Сообщение", placeholder: "Напишите сообщение",
    send: "Отправить", try_now: "Сейчас же",
    online: "На связи", connecting: "Соединяемся…", catching_up: "Догоняем…", offline: "Устройство не в сети",
    waiting: "Нет связи", retry_in: (s) => `, повтор: ${s} с`, stopped: "Связь закрыта",
    sending: "отправляется", not_sent: "Не отправлено", retry: "Повторить", remove: "Убрать", edited: "изменено",
    deleted: "Сообщение удалено", data: "Двоичные данные", you: "вы", today: "Сегодня", yesterday: "Вчера",
    empty: "Пока пусто. Скажите первое слово.", beginning: "Здесь всё начинается.",
    trimmed: "Более старые сообщения уже не хранятся.", older: "Загружаем более старые…",
    lost: "Часть сообщений сервер удалил раньше, чем их удалось показать.",
    reset: "История на сервере переписана. Сейчас показано то, что в ней есть.",
    new_identity: "Ваш прежний вход истёк, вы вошли как новый гость.",
    down: (n) => (n ? `${n} ${plural(n, "новое", "новых", "новых")} ↓` : "К последним ↓"),
    typing: (names) => names.length === 1 ? `${names[0]} печатает…`
      : names.length === 2 ? `${names[0]} и ${names[1]} печатают…` : "Несколько человек печатают…",
    and_more: (n) => `и ещё ${n}`,
    refused: {
      guests_not_allowed: "Этот сервер не пускает гостей.", bad_name: "Такое имя здесь невозможно. Попробуйте другое.",
      not_allowed: "В эту комнату вам нельзя.", unknown_room: "Такой комнаты нет.",
      payload_too_large: "слишком длинно", rate_limited: "Слишком быстро. Подождите немного.",
    },
  },
};

const plural = (n, one, few, many) => ({ one, few, many })[new Intl.PluralRules("ru").select(n)] ?? many;

const KEY = "konvert.language";

/** The language in use: the one chosen here before, or the browser's. */
export let language = localStorage.getItem(KEY) ?? (navigator.language.startsWith("ru") ? "ru" : "en");
if (!(language in WORDS)) language = "en";

/** Changes to the other language and remembers it. */
export function switchLanguage() {
  language = language === "en" ? "ru" : "en";
  localStorage.setItem(KEY, language);
}

/** A word or phrase; phrases take what is to be put in. */
export function word(key, ...values) {
  const found = WORDS[language][key];
  return typeof found === "function" ? found(...values) : found;
}

/** What an error of the server means to a person, or the server's own sentence. */
export const refusal = (error) => WORDS[language].refused[error.name] ?? error.message;

/** Puts a word in that follows the language. */
export function say(element, key) {
  element.dataset.word = key;
  element.textContent = word(key);
}
