// Every word of the app in Russian.
//
// Invariant: the same keys as in English; numbers are declined by the rules of the language.
import { advice } from "./advice.ru";
import { device } from "./device.ru";
import type { Words } from "./en";
import { errors, faults, patience, refusals } from "./errors.ru";
import { people } from "./people.ru";
import { counted } from "./plural";

const count = counted("ru");

export const ru: Words = {
  language: "Русский",
  locale: "ru",
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
    passwordHint: "Не короче 8 знаков и не слишком простой",
    nameHint: "Так вас увидят другие; до 32 русских букв",
    guestHint: "Гости встречаются в вестибюле, он открыт для всех",
    enter: "Войти",
    showPassword: "Показать пароль",
    sentOut: "Ваш сеанс завершён. Войдите снова.",
    greeting: "Рады вас видеть",
  },

  connection: {
    connected: "На связи",
    connecting: "Соединение…",
    waiting: "Нет связи",
    offline: "Устройство не в сети",
    retryIn: (seconds) => `повтор через ${seconds} с`,
    tryNow: "Соединиться сейчас",
    closed: "Соединение закрыто",
    why: {
      bad_frame: "приложение и сервер не понимают друг друга: обновите страницу",
      flood: "слишком много отправлено сразу",
      message_too_large: "сообщение было слишком большим",
      not_authenticated: "сервер не знает, кто это",
      revoked: "сервер отозвал доступ",
      signed_out: "вы не вошли",
      token_refused: "сервер отказал во входе",
      closed_by_app: "его закрыла эта страница",
    },
    whyElse: (why, code) => `${why} (${code})`,
    connectAgain: "Соединиться",
    over: { websocket: "по WebSocket", sse: "по server-sent events", poll: "длинными запросами", tabs: "через другую вкладку" },
  },

  list: {
    title: "Беседы",
    search: "Поиск бесед и людей",
    searchShort: "Поиск",
    clear: "Очистить поиск",
    people: "Люди",
    empty: "Бесед пока нет",
    emptyHint: "Найдите человека по имени или логину и напишите ему первым.",
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
    title: "Беседа",
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
    loading: "Загрузка…",
    beginning: "Это начало беседы.",
    empty: "Пока пусто",
    emptyHint: "Напишите первое сообщение.",
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
    toUnread: "К первому непрочитанному",
    deleted: "Сообщение удалено",
    binary: "Двоичные данные",
    edited: "изменено",
    sealedTitle: "Запечатанная беседа",
    sealedHint: "Она защищена сквозным шифрованием. Сообщения целы, но у этого приложения пока нет ключа, чтобы их прочесть.",
    refused: "Эту беседу нельзя открыть",
    refusedHint: "Беседа закрыта, или вы больше не участник.",
    lost: "Часть сообщений удалена с сервера раньше, чем их удалось показать.",
    notHereYet: "Этой беседы ещё нет на устройстве",
    notHereYetHint: "Сообщения загрузятся, когда появится связь. Написанное сейчас отправится тогда же.",
    rewritten: "История на сервере изменилась. Вот что в ней есть сейчас.",
    unknown: "Кто-то",
  },

  talk: {
    menu: "Что сделать с сообщением",
    reply: "Ответить",
    replyTo: (name) => `Ответ: ${name}`,
    edit: "Изменить",
    editing: "Правка",
    save: "Сохранить",
    copy: "Скопировать текст",
    copied: "Скопировано",
    remove: "Удалить",
    removeSure: "Удалить у всех?",
    removeHint: "Оно исчезнет с диска сервера, вернуть его нельзя.",
    react: (emoji) => `Реакция ${emoji}`,
    moreEmoji: "Другие реакции",
    reactedBy: (emoji, names) => `${emoji} ${names}`,
    readBy: (n) =>
      count(n, { one: `Прочёл ${n} человек`, few: `Прочли ${n} человека`, many: `Прочли ${n} человек`, other: `Прочли ${n} человека` }),
    readByNobody: "Пока никто не прочёл",
    andMore: (n) => `и ещё ${n}`,
    toQuoted: (name) => `К исходному сообщению: ${name}`,
    gone: "Это сообщение больше не хранится",
    changing: "Изменение отправляется",
    refused: (why) => `Сервер не принял изменение. ${why}`,
    showAll: "Показать целиком",
    showLess: "Свернуть",
    emoji: "Эмодзи",
    picture: "Картинка",
    file: "Файл",
    openPicture: "Открыть картинку",
    brokenPicture: "Эту картинку не удалось показать",
    bigPicture: "Показать картинку",
    download: "Скачать",
    goneFile: "Этого файла больше нет",
    loadFailed: "Не удалось загрузить",
    bytes: (n, unit) => `${n} ${{ B: "Б", KB: "КБ", MB: "МБ", GB: "ГБ" }[unit]}`,
  },

  ticks: { pending: "Отправляется", failed: "Не отправлено", stored: "Отправлено", delivered: "Доставлено", read: "Прочитано" },
  failed: { retry: "Повторить", drop: "Убрать" },

  composer: {
    label: "Сообщение",
    placeholder: "Напишите сообщение",
    readOnly: "Вам здесь можно только читать",
    send: "Отправить",
    attach: "Добавить файлы",
    drop: "Перетащите файлы сюда",
    removeFile: (name) => `Не отправлять ${name}`,
    retryFile: (name) => `Загрузить ещё раз: ${name}`,
    uploading: (name, percent) => `${name}: загружено ${percent} %`,
    uploaded: (name) => `${name}: загружен`,
    interrupted: "Прервано; продолжится, когда появится связь",
    tooMany: (n) =>
      `С одним сообщением можно отправить не больше ${count(n, { one: `${n} файла`, few: `${n} файлов`, many: `${n} файлов`, other: `${n} файла` })}.`,
    waits: {
      uploading: "Файлы ещё загружаются",
      refused: "Не отправлено: уберите файлы, которые сервер не принимает",
    },
    stopReply: "Не отвечать",
    stopEdit: "Оставить как было",
    people: "Кого упомянуть",
    tooLong: (bytes) =>
      `Длиннее на ${count(bytes, { one: `${bytes} байт`, few: `${bytes} байта`, many: `${bytes} байт`, other: `${bytes} байта` })}`,
  },

  ...people,
  ...device,
  advice,

  errors,
  faults,
  patience,
  refusals,
};
