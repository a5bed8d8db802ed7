// What an error means to a person, in Russian, by the name of its number.
//
// Invariant: the same keys as in English; numbers are declined by the rules of the language.
import type { Words } from "./en";
import { counted } from "./plural";

const count = counted("ru");
const REPEATED = "Попробуйте чуть позже.";
const MISMATCH = "Приложение и сервер не понимают друг друга. Обновите страницу.";
const SIGN_IN_AGAIN = "Ваш сеанс завершён. Войдите снова.";
const GONE = "Этого больше нет.";
const REWRITTEN = "История на сервере изменилась. Обновите страницу.";
const UPLOAD_AGAIN = "Файл дошёл повреждённым. Добавьте его ещё раз.";

export const errors: Words["errors"] = {
  bad_command: MISMATCH,
  id_required: MISMATCH,
  not_connected: MISMATCH,
  already_connected: MISMATCH,
  bad_token: SIGN_IN_AGAIN,
  token_expired: SIGN_IN_AGAIN,
  guests_not_allowed: "Этот сервер не пускает гостей.",
  other_user: SIGN_IN_AGAIN,
  revoked: SIGN_IN_AGAIN,
  session_ended: `Связь прервалась. ${REPEATED}`,
  origin_not_allowed: "Сервер не принимает приложение с этого адреса.",
  unknown_room: GONE,
  not_allowed: "Вам это недоступно.",
  not_subscribed: MISMATCH,
  trimmed: "Эти сообщения уже не хранятся.",
  epoch_changed: REWRITTEN,
  ahead_of_log: REWRITTEN,
  mode_mismatch: "У вас уже есть беседа с другим видом защиты.",
  bad_name: "Такое имя не подходит. Попробуйте другое.",
  payload_too_large: "Сообщение слишком длинное.",
  duplicate_conflict: "Это сообщение уже отправлено с другим текстом.",
  conflict: "Кто-то успел раньше. Попробуйте ещё раз.",
  bad_relation: "Сообщения, к которому это относится, больше нет.",
  not_sealed: "Беседа под сквозным шифрованием, и писать в неё это приложение пока не умеет.",
  sealed: "Эта беседа не под сквозным шифрованием.",
  too_many_rooms: "Открыто слишком много бесед сразу.",
  rate_limited: "Слишком быстро. Подождите немного и повторите.",
  too_many_frames: `Отправлено слишком много сразу. ${REPEATED}`,
  quota_exceeded: "На сегодня лимит исчерпан.",
  overloaded: `Сервер перегружен. ${REPEATED}`,
  read_only: "Сервер сейчас ничего не может сохранить.",
  unknown_outcome: "Неизвестно, сохранилось ли это. Попробуйте ещё раз.",
  damaged: "На сервере это повреждено, показать нельзя.",
  shutting_down: `Сервер перезапускается. ${REPEATED}`,
  unreadable: `Сервер сейчас не может это прочитать. ${REPEATED}`,
  internal: `На сервере что-то сломалось. ${REPEATED}`,
  unavailable: `Сервер сейчас доступен не полностью. ${REPEATED}`,
  bad_request: "Сервер этого не принимает. Проверьте, что вы ввели.",
  not_found: GONE,
  method_not_allowed: MISMATCH,
  body_too_large: "Этот файл слишком велик для сервера.",
  unsupported_type: MISMATCH,
  unauthorized: SIGN_IN_AGAIN,
  forbidden: "Вам это недоступно.",
  wrong_credentials: "Неверный логин или пароль.",
  login_taken: "Такой логин уже занят.",
  weak_password: "Такой пароль слишком легко угадать.",
  token_reused: SIGN_IN_AGAIN,
  exists: "Это уже есть.",
  not_possible: "Сейчас это невозможно.",
  invite_ended: "Приглашение больше не действует.",
  type_not_allowed: "Файлы такого вида сервер не принимает.",
  offset_mismatch: "Загрузка прервалась. Попробуйте ещё раз.",
  hash_mismatch: UPLOAD_AGAIN,
  piece_damaged: UPLOAD_AGAIN,
  upload_version: MISMATCH,
  no_such_range: "В файле нет такого места.",

  aborted: "Отменено.",
  closed: "Связи нет.",
  outbox_full: "Слишком много сообщений ждёт отправки.",
  too_many_waiting: `Слишком много сразу. ${REPEATED}`,
  bad_answer: MISMATCH,
  not_attached: "Беседа ещё не открыта.",
  dropped: "Сообщение не отправлено.",
  storage: "Не удалось сохранить сообщение на этом устройстве. Возможно, на нём нет места.",
  upload_failed: "Не удалось загрузить файл.",
  network: "Сервер не отвечает.",
  http: "Сервер не отвечает.",
  offline: "Устройство не в сети.",
  empty_file: "Этот файл пуст.",
  storage_full: "Место для ваших файлов кончилось. Удалите сообщения с ненужными файлами.",
  unknown: "Что-то пошло не так. Попробуйте ещё раз.",
};

export const patience: Words["patience"] = {
  rate_limited: (wait) => `Слишком много попыток. Повторите ${wait}.`,
  quota_exceeded: (wait) => `Лимит исчерпан. Продолжить можно ${wait}.`,
  seconds: (n) =>
    count(n, { one: `через ${n} секунду`, few: `через ${n} секунды`, many: `через ${n} секунд`, other: `через ${n} секунды` }),
  minutes: (n) => count(n, { one: `через ${n} минуту`, few: `через ${n} минуты`, many: `через ${n} минут`, other: `через ${n} минуты` }),
  hours: (n) => count(n, { one: `через ${n} час`, few: `через ${n} часа`, many: `через ${n} часов`, other: `через ${n} часа` }),
};

export const refusals: Words["refusals"] = {
  blocked: "Эта учётная запись заблокирована. Обратитесь к администратору сервера.",
  signUpClosed: "Новые учётные записи здесь создаёт администратор.",
  wrongPassword: "Неверный пароль.",
  wrongOldPassword: "Текущий пароль введён неверно.",
  lastOwner: "Группа не может остаться без владельца. Сначала назначьте другого владельца или удалите группу.",
  lastAdministrator: "Сервер не может остаться без администратора. Сначала назначьте другого.",
  groupFull: "В группе больше нет мест.",
  notAdded: "В группе нет мест, или кто-то из этих людей состоит в слишком многих беседах.",
  tooManyDialogs: "Кто-то из этих людей состоит в слишком многих беседах.",
  notWith: "Этому человеку нельзя написать.",
  unblockFirst: "Вы заблокировали этого человека. Сначала разблокируйте его.",
};

export const faults: Words["faults"] = {
  empty: "Заполните это поле",
  over: (letters) =>
    `Длиннее допустимого на ${count(letters, { one: `${letters} знак`, few: `${letters} знака`, many: `${letters} знаков`, other: `${letters} знака` })}`,
  hidden: "Здесь есть невидимые знаки",
  login: "Нужно 3–32 знака: a–z, цифры, . _ - (не в начале)",
  short: "Не короче 8 знаков",
  email: "Адрес выглядит так: anna@chat.example",
};
