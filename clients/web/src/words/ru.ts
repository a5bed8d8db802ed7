// Every word of the app in Russian.
//
// Invariant: the same keys as in English; numbers are declined by the rules of the language.
import { device } from "./device.ru";
import type { Words } from "./en";
import { people } from "./people.ru";
import { counted } from "./plural";

const count = counted("ru");

export const ru: Words = {
  language: "Русский",
  app: "Konvert",
  cancel: "Отмена",
  close: "Закрыть",
  back: "Назад",
  retry: "Ещё раз",
  you: "вы",
  today: "Сегодня",
  yesterday: "Вчера",
  more: "Ещё",

  door: {
    tagline: "Письма, которые доходят. Все, по одному разу и по порядку.",
    signIn: "Войти",
    signUp: "Создать учётную запись",
    guest: "Осмотреться гостем",
    haveAccount: "У меня есть учётная запись",
    noAccount: "Впервые здесь?",
    login: "Логин",
    password: "Пароль",
    name: "Ваше имя",
    loginHint: "От 3 до 32 букв a–z, цифр и знаков . _ -",
    passwordHint: "Не короче 8 знаков, чтобы не угадать",
    nameHint: "Таким вас увидят другие",
    guestHint: "Гости встречаются в открытой комнате.",
    enter: "Войти",
    showPassword: "Показать пароль",
    sentOut: "Ваш вход завершён. Войдите снова.",
    greeting: "Рады вас видеть",
  },

  connection: {
    connected: "На связи",
    connecting: "Соединяемся…",
    waiting: "Нет связи",
    offline: "Устройство не в сети",
    retryIn: (seconds) => `повтор через ${seconds} с`,
    tryNow: "Сейчас же",
    closed: "Связь закрыта",
    why: {
      bad_frame: "приложение и сервер не понимают друг друга: обновите страницу",
      flood: "отправлено слишком много сразу",
      message_too_large: "сообщение было слишком большим",
    },
    connectAgain: "Соединиться",
    over: { websocket: "по WebSocket", sse: "по server-sent events", poll: "длинными запросами", tabs: "через другую вкладку" },
  },

  list: {
    title: "Беседы",
    search: "Поиск бесед и людей",
    clear: "Очистить поиск",
    people: "Люди",
    nobody: "Никого с таким именем",
    empty: "Бесед пока нет",
    emptyHint: "Найдите человека по имени или логину и напишите первое письмо.",
    find: "Найти людей",
    lobby: "Вестибюль",
    lobbyHint: "Открытая комната для всех",
    draft: "Черновик",
    settings: "Настройки",
    contacts: "Контакты",
    deleted: "Сообщение удалено",
    sealed: "Запечатано: сквозное шифрование",
    file: "Файл",
    sending: "Отправляется",
    unread: (n) =>
      count(n, {
        one: `${n} непрочитанное сообщение`,
        few: `${n} непрочитанных сообщения`,
        many: `${n} непрочитанных сообщений`,
        other: `${n} непрочитанного сообщения`,
      }),
    mentions: (n) => count(n, { one: `${n} упоминание`, few: `${n} упоминания`, many: `${n} упоминаний`, other: `${n} упоминания` }),
    muted: "Без уведомлений",
    pinned: "Закреплено",
    failed: "Не удалось загрузить список",
    openFailed: "Не удалось открыть беседу",
  },

  conversation: {
    none: "Выберите беседу",
    noneHint: "или нажмите Ctrl K, чтобы найти человека",
    online: "в сети",
    offline: "не в сети",
    lastSeen: (when) => `был(а) в сети ${when}`,
    members: (n) => count(n, { one: `${n} участник`, few: `${n} участника`, many: `${n} участников`, other: `${n} участника` }),
    here: (n) => `здесь ${n}`,
    typing: (names) =>
      names.length === 1
        ? `${names[0]} печатает…`
        : names.length === 2
          ? `${names[0]} и ${names[1]} печатают…`
          : "Несколько человек печатают…",
    typingAlone: "печатает…",
    messages: "Сообщения",
    unread: "Новые сообщения",
    loading: "Загружаем…",
    beginning: "Здесь всё начинается.",
    empty: "Пока пусто",
    emptyHint: "Напишите первое письмо.",
    trimmed: "Более старые сообщения уже не хранятся.",
    down: (n) =>
      n
        ? count(n, {
            one: `${n} новое сообщение`,
            few: `${n} новых сообщения`,
            many: `${n} новых сообщений`,
            other: `${n} нового сообщения`,
          })
        : "К последним",
    deleted: "Сообщение удалено",
    binary: "Двоичные данные",
    edited: "изменено",
    sealedTitle: "Запечатанная беседа",
    sealedHint: "Она под сквозным шифрованием. Сообщения целы, но у этого приложения пока нет ключа, чтобы их прочесть.",
    refused: "Сюда нельзя войти",
    refusedHint: "Беседа закрыта, или вы больше не участник.",
    lost: "Часть сообщений сервер удалил раньше, чем их удалось показать.",
    rewritten: "История на сервере переписана. Вот что в ней есть сейчас.",
    unknown: "Кто-то",
  },

  ticks: { pending: "В пути", failed: "Не отправлено", stored: "Отправлено", delivered: "Доставлено", read: "Прочитано" },
  failed: { retry: "Повторить", drop: "Убрать" },

  composer: {
    label: "Сообщение",
    placeholder: "Напишите сообщение",
    readOnly: "Здесь пишут не все участники",
    send: "Отправить",
    tooLong: (bytes) =>
      `Длиннее на ${count(bytes, { one: `${bytes} байт`, few: `${bytes} байта`, many: `${bytes} байт`, other: `${bytes} байта` })}`,
  },

  ...people,
  ...device,

  errors: {
    wrong_credentials: "Неверный логин или пароль.",
    login_taken: "Такой логин уже занят.",
    weak_password: "Такой пароль слишком легко угадать.",
    guests_not_allowed: "Этот сервер не пускает гостей.",
    bad_name: "Такое имя здесь невозможно. Попробуйте другое.",
    not_allowed: "Это вам нельзя.",
    forbidden: "Это вам нельзя.",
    not_found: "Этого больше нет.",
    unknown_room: "Этого больше нет.",
    rate_limited: "Слишком быстро. Подождите немного и повторите.",
    quota_exceeded: "На сегодня всё.",
    overloaded: "Сервер очень занят. Попробуйте чуть позже.",
    read_only: "Сервер сейчас ничего не может сохранить.",
    payload_too_large: "Сообщение слишком длинное.",
    invite_ended: "Приглашение больше не действует.",
    type_not_allowed: "Такие файлы не принимаются.",
    outbox_full: "Слишком много сообщений ждут отправки.",
    network: "Сервер не отвечает.",
    http: "Сервер не отвечает.",
  },
};
