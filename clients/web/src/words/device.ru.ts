// Words for the settings, notifications, and the app on a device, in Russian.
//
// Invariant: the same keys as in English; numbers are declined by the rules of the language.
import type { Words } from "./en";
import { counted } from "./plural";

const count = counted("ru");

export const device: Pick<Words, "settings" | "notices" | "offline"> = {
  settings: {
    title: "Настройки",
    theme: "Тема",
    themes: { system: "Как в системе", light: "Светлая", dark: "Тёмная" },
    language: "Язык",
    guest: "Гость",
    guestHint: "Вы здесь под именем гостя; сказанное останется. С учётной записью беседы будут с вами на любом устройстве.",
    signOut: "Выйти",
    profile: "Профиль",
    name: "Имя",
    about: "О себе",
    email: "Почта",
    emailHint: "Видят только администраторы.",
    password: "Пароль",
    oldPassword: "Текущий пароль",
    newPassword: "Новый пароль",
    changePassword: "Сменить пароль",
    passwordChanged: "Пароль изменён. На остальных устройствах сеансы завершены.",
    sessions: "Где вы вошли",
    thisDevice: "Это устройство",
    unknownDevice: "Неизвестное устройство",
    usedAt: (when) => `активность: ${when}`,
    endSession: "Завершить",
    endSessionOn: (device) => `Завершить сеанс: ${device}`,
    everywhere: "Выйти везде",
    everywhereSure: "Выйти на всех устройствах, и на этом тоже?",
    notifications: "Уведомления",
    notificationsHint: "О личных сообщениях и упоминаниях, пока страница в фоне.",
    on: "Включены",
    off: "Выключены",
    blocked: "Браузер не разрешает уведомления этой странице. Разрешите их в его настройках.",
    unsupported: "Этот браузер не умеет показывать уведомления.",
    limits: "Лимиты",
    limit: {
      messages: "Сообщений в день",
      assistant_calls: "Вопросов помощнику в день",
      storage_bytes: "Хранится файлов",
      uploads: "Загрузок в день",
      dialogs: "Новых бесед в день",
    },
    of: (used, max) => `${used} из ${max}`,
    unlimited: (used) => `${used}, без ограничений`,
    bytes: { kb: "КБ", mb: "МБ", gb: "ГБ" },
    delete: "Удалить учётную запись",
    deleteHint: "Профиль, контакты и сеансы будут удалены. Ваши сообщения останутся в беседах, но без вашего имени.",
    deleteSure: "Удалить навсегда",
    save: "Сохранить",
    saved: "Сохранено",
    install: "Установить как приложение",
    installHint: "Отдельное окно; открывается и без сети.",
  },
  notices: {
    mention: (name, title) => `${name} в «${title}»`,
    sealed: "Запечатанное сообщение",
    file: "Файл",
  },
  offline: {
    banner: "Устройство не в сети. Показано то, что было в последний раз; написанное отправится позже.",
    silent: "Сервер не отвечает. Показано то, что было в последний раз; написанное отправится позже.",
    waiting: (n) =>
      count(n, {
        one: `${n} сообщение ждёт отправки`,
        few: `${n} сообщения ждут отправки`,
        many: `${n} сообщений ждут отправки`,
        other: `${n} сообщения ждут отправки`,
      }),
    update: "Готова новая версия",
    reload: "Обновить",
    later: "Позже",
  },
};
