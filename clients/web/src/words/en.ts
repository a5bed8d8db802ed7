// Every word of the app in English. Its shape is the type of all languages.
//
// Invariant: what is said stands here and nowhere else; a phrase with something in it is a function of it.
import { advice } from "./advice.en";
import { device } from "./device.en";
import { errors, faults, patience, refusals } from "./errors.en";
import { people } from "./people.en";
import { counted } from "./plural";

const count = counted("en");

export const en = {
  language: "English",
  locale: "en",
  app: "Konvert",
  cancel: "Cancel",
  close: "Close",
  back: "Back",
  retry: "Try again",
  you: "you",
  today: "Today",
  yesterday: "Yesterday",
  more: "More",

  door: {
    tagline: "Letters that arrive. Every one, once, in order.",
    signIn: "Sign in",
    signUp: "Create account",
    guest: "Look around as a guest",
    haveAccount: "I have an account",
    noAccount: "New here?",
    login: "Login",
    password: "Password",
    name: "Your name",
    loginHint: "3 to 32 letters a–z, digits, . _ -",
    passwordHint: "At least 8 characters, hard to guess",
    nameHint: "As others will see you; up to 64 letters",
    guestHint: "Guests meet in the lobby, a room open to everybody",
    enter: "Come in",
    showPassword: "Show password",
    sentOut: "Your sign-in has ended. Please sign in again.",
    greeting: "Good to see you",
  },

  connection: {
    connected: "Connected",
    connecting: "Connecting…",
    waiting: "No connection",
    offline: "This device is offline",
    retryIn: (seconds: number) => `next try in ${seconds} s`,
    tryNow: "Try now",
    closed: "Disconnected",
    /** Why it was closed for good, by the name of the reason. */
    why: {
      bad_frame: "this app and the server do not understand each other: reload the page",
      flood: "too much was sent at once",
      message_too_large: "a message was too large",
      not_authenticated: "the server does not know who this is",
      revoked: "the server has taken the access away",
      signed_out: "nobody is signed in",
      token_refused: "the sign-in was refused",
      closed_by_app: "this page has closed it",
    },
    whyElse: (why: string, code: number) => `${why} (${code})`,
    connectAgain: "Connect",
    over: { websocket: "over WebSocket", sse: "over server-sent events", poll: "over long polls", tabs: "through another tab" },
  },

  list: {
    title: "Conversations",
    search: "Search or find people",
    searchShort: "Search",
    clear: "Clear search",
    people: "People",
    empty: "No conversations yet",
    emptyHint: "Find somebody by name or login and send the first message.",
    find: "Find people",
    lobby: "Lobby",
    lobbyHint: "An open room for everybody",
    draft: "Draft",
    settings: "Settings",
    contacts: "Contacts",
    deleted: "Message deleted",
    sealed: "Sealed: end-to-end encrypted",
    file: "File",
    sending: "Sending",
    unread: (n: number) => count(n, { one: `${n} unread message`, other: `${n} unread messages` }),
    mentions: (n: number) => count(n, { one: `${n} mention`, other: `${n} mentions` }),
    muted: "Muted",
    pinned: "Pinned",
    failed: "The list could not be loaded",
    openFailed: "This conversation could not be opened",
  },

  conversation: {
    title: "Conversation",
    none: "Choose a conversation",
    noneHint: "or press Ctrl K to find somebody",
    online: "online",
    offline: "offline",
    lastSeen: (when: string) => `last seen ${when}`,
    members: (n: number) => count(n, { one: `${n} member`, other: `${n} members` }),
    here: (n: number) => count(n, { one: `${n} here`, other: `${n} here` }),
    typing: (names: readonly string[]) =>
      names.length === 1
        ? `${names[0]} is typing…`
        : names.length === 2
          ? `${names[0]} and ${names[1]} are typing…`
          : "Several people are typing…",
    typingAlone: "typing…",
    messages: "Messages",
    unread: "New messages",
    loading: "Loading…",
    beginning: "This is the beginning of the conversation.",
    empty: "Nothing here yet",
    emptyHint: "Write the first message.",
    trimmed: "Older messages are no longer kept.",
    down: (n: number) => (n ? count(n, { one: `${n} new message`, other: `${n} new messages` }) : "To the newest"),
    toUnread: "To the first unread",
    deleted: "Message deleted",
    binary: "Binary data",
    edited: "edited",
    sealedTitle: "A sealed conversation",
    sealedHint: "It is end-to-end encrypted. The messages are safe, but this app does not have the key to read them yet.",
    refused: "You cannot enter here",
    refusedHint: "The conversation was closed, or you are no longer a member.",
    lost: "Some messages were removed by the server before they could be shown.",
    notHereYet: "This conversation is not on this device yet",
    notHereYetHint: "The messages will load once there is a connection. What you write now will be sent then.",
    rewritten: "The history has changed on the server. This is what is there now.",
    unknown: "Somebody",
  },

  talk: {
    menu: "What to do with this message",
    reply: "Reply",
    replyTo: (name: string) => `Reply to ${name}`,
    edit: "Edit",
    editing: "Editing",
    save: "Save",
    copy: "Copy text",
    copied: "Copied",
    remove: "Delete",
    removeSure: "Delete for everybody?",
    removeHint: "It leaves the server's disk and cannot come back.",
    react: (emoji: string) => `React with ${emoji}`,
    moreEmoji: "More reactions",
    reactedBy: (emoji: string, names: string) => `${emoji} ${names}`,
    readBy: (n: number) => count(n, { one: `Read by ${n}`, other: `Read by ${n}` }),
    readByNobody: "Read by nobody yet",
    andMore: (n: number) => `and ${n} more`,
    toQuoted: (name: string) => `To the message of ${name} that this answers`,
    gone: "This message is no longer kept",
    changing: "Change on its way",
    refused: (why: string) => `The server refused this change. ${why}`,
    showAll: "Show all",
    showLess: "Show less",
    emoji: "Emoji",
    picture: "Picture",
    file: "File",
    openPicture: "Open picture",
    brokenPicture: "This picture cannot be shown",
    bigPicture: "Show picture",
    download: "Download",
    goneFile: "This file is no longer here",
    loadFailed: "Could not be loaded",
    bytes: (n: string, unit: "B" | "KB" | "MB" | "GB") => `${n} ${unit}`,
  },

  ticks: { pending: "On its way", failed: "Not sent", stored: "Sent", delivered: "Delivered", read: "Read" },
  failed: { retry: "Retry", drop: "Remove" },

  composer: {
    label: "Message",
    placeholder: "Write a message",
    readOnly: "You can only read here",
    send: "Send",
    attach: "Add files",
    drop: "Drop files here",
    removeFile: (name: string) => `Leave out ${name}`,
    retryFile: (name: string) => `Try again to upload ${name}`,
    uploading: (name: string, percent: number) => `${name}: ${percent} % uploaded`,
    uploaded: (name: string) => `${name}: uploaded`,
    interrupted: "Interrupted; continues once there is a connection",
    tooMany: (n: number) => `At most ${n} files go with one message.`,
    waits: {
      uploading: "Files are still being uploaded",
      refused: "Not sent: leave out the files that the server does not take",
    },
    stopReply: "Do not answer",
    stopEdit: "Leave as it was",
    people: "People to mention",
    tooLong: (bytes: number) => `Too long by ${count(bytes, { one: `${bytes} byte`, other: `${bytes} bytes` })}`,
  },

  ...people,
  ...device,
  advice,

  errors,
  faults,
  patience,
  refusals,
};

/** English, in which every text may be another. */
export type Words = Widened<typeof en>;

type Widened<T> = T extends string
  ? string
  : T extends (...values: infer V) => string
    ? (...values: V) => string
    : { readonly [K in keyof T]: Widened<T[K]> };
