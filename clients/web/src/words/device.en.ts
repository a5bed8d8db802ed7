// Words for the settings, notifications, and the app on a device, in English.
//
// Invariant: part of `en`, whose shape is the type of all languages.
import { counted } from "./plural";

const count = counted("en");

export const device = {
  settings: {
    title: "Settings",
    theme: "Theme",
    themes: { system: "System", light: "Light", dark: "Dark" },
    language: "Language",
    guest: "Guest",
    guestHint:
      "You are here under a guest's name; what you have said stays. With an account your conversations are with you on any device.",
    signOut: "Sign out",
    profile: "Profile",
    name: "Name",
    about: "About you",
    email: "E-mail",
    emailHint: "Only administrators see it.",
    password: "Password",
    oldPassword: "Current password",
    newPassword: "New password",
    changePassword: "Change password",
    passwordChanged: "Password changed. Every other device is signed out.",
    sessions: "Where you are signed in",
    thisDevice: "This device",
    unknownDevice: "Unknown device",
    usedAt: (when: string) => `active ${when}`,
    endSession: "Sign out there",
    endSessionOn: (device: string) => `Sign out on ${device}`,
    everywhere: "Sign out everywhere",
    everywhereSure: "Sign out on all devices, this one too?",
    notifications: "Notifications",
    notificationsHint: "For direct messages and mentions, while this page is in the background.",
    on: "On",
    off: "Off",
    blocked: "The browser blocks notifications from this page. Allow them in its settings.",
    unsupported: "This browser cannot show notifications.",
    limits: "Limits",
    limit: {
      messages: "Messages a day",
      assistant_calls: "Assistant calls a day",
      storage_bytes: "Files stored",
      uploads: "Uploads a day",
      dialogs: "Conversations started a day",
    },
    of: (used: string, max: string) => `${used} of ${max}`,
    unlimited: (used: string) => `${used}, without limit`,
    bytes: { kb: "KB", mb: "MB", gb: "GB" },
    delete: "Delete account",
    deleteHint: "Your profile, contacts and sign-ins are erased. What you have said stays where it was said, without your name.",
    deleteSure: "Delete it for good",
    save: "Save",
    saved: "Saved",
    install: "Install as an app",
    installHint: "Its own window, and it opens without a network.",
  },
  notices: {
    mention: (name: string, title: string) => `${name} in ${title}`,
    sealed: "A sealed message",
    file: "A file",
  },
  offline: {
    banner: "You are offline. This is what was here last; what you write is sent later.",
    silent: "The server does not answer. This is what was here last; what you write is sent later.",
    waiting: (n: number) => count(n, { one: `${n} message waits to be sent`, other: `${n} messages wait to be sent` }),
    update: "A new version is ready",
    reload: "Reload",
    later: "Later",
  },
};
