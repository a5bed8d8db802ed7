// What an error means to a person, in English, by the name of its number.
//
// Invariant: part of `en`; every error of the protocol and of the SDK has a text here, and none of them speaks of
// requests, fields or codes. What the same error means in one place only is said there (`refusals`).
import { counted } from "./plural";

const count = counted("en");
const REPEATED = "Try again in a moment.";
const MISMATCH = "The app and the server do not understand each other. Reload the page.";
const SIGN_IN_AGAIN = "Your sign-in has ended. Please sign in again.";
const GONE = "It is not there any more.";
const REWRITTEN = "The history has changed on the server. Reload the page.";
const UPLOAD_AGAIN = "The file arrived damaged. Add it again.";

export const errors = {
  bad_command: MISMATCH,
  id_required: MISMATCH,
  not_connected: MISMATCH,
  already_connected: MISMATCH,
  bad_token: SIGN_IN_AGAIN,
  token_expired: SIGN_IN_AGAIN,
  guests_not_allowed: "This server lets no guests in.",
  other_user: SIGN_IN_AGAIN,
  revoked: SIGN_IN_AGAIN,
  session_ended: `The connection was interrupted. ${REPEATED}`,
  origin_not_allowed: "This server does not accept the app from this address.",
  unknown_room: GONE,
  not_allowed: "You may not do this.",
  not_subscribed: MISMATCH,
  trimmed: "These messages are no longer kept.",
  epoch_changed: REWRITTEN,
  ahead_of_log: REWRITTEN,
  mode_mismatch: "You already have a conversation with a different kind of protection.",
  bad_name: "This name is not possible here. Try another.",
  payload_too_large: "This message is too long.",
  duplicate_conflict: "This message was already sent with a different text.",
  conflict: "Somebody else was faster. Try again.",
  bad_relation: "The message that this is about is gone.",
  not_sealed: "This conversation is end-to-end encrypted, and this app cannot write there yet.",
  sealed: "This conversation is not end-to-end encrypted.",
  too_many_rooms: "Too many conversations are open at once.",
  rate_limited: "Too fast. Wait a moment and try again.",
  too_many_frames: `Too much was sent at once. ${REPEATED}`,
  quota_exceeded: "That is all for today.",
  overloaded: `The server is very busy. ${REPEATED}`,
  read_only: "The server cannot store anything now.",
  unknown_outcome: "It is not known whether this was saved. Try again.",
  damaged: "What you asked for is damaged on the server and cannot be shown.",
  shutting_down: `The server is restarting. ${REPEATED}`,
  unreadable: `The server cannot read this now. ${REPEATED}`,
  internal: `Something went wrong on the server. ${REPEATED}`,
  unavailable: `The server is not fully available. ${REPEATED}`,
  bad_request: "The server does not accept this. Check what you have entered.",
  not_found: GONE,
  method_not_allowed: MISMATCH,
  body_too_large: "This file is too big for the server.",
  unsupported_type: MISMATCH,
  unauthorized: SIGN_IN_AGAIN,
  forbidden: "You may not do this.",
  wrong_credentials: "Wrong login or password.",
  login_taken: "Somebody has this login already.",
  weak_password: "This password is too easy to guess.",
  token_reused: SIGN_IN_AGAIN,
  exists: "It exists already.",
  not_possible: "This is not possible now.",
  invite_ended: "This invitation no longer works.",
  type_not_allowed: "The server takes no files of this kind.",
  offset_mismatch: "The upload was interrupted. Try again.",
  hash_mismatch: UPLOAD_AGAIN,
  piece_damaged: UPLOAD_AGAIN,
  upload_version: MISMATCH,
  no_such_range: "The file has no such part.",

  // Those of the SDK and of this app.
  aborted: "It was cancelled.",
  closed: "There is no connection.",
  outbox_full: "Too many messages wait to be sent.",
  too_many_waiting: `Too much at once. ${REPEATED}`,
  bad_answer: MISMATCH,
  not_attached: "The conversation is not open yet.",
  dropped: "This message was not sent.",
  storage: "This device could not save the message. It may have no space left.",
  upload_failed: "The upload failed.",
  network: "The server does not answer.",
  http: "The server does not answer.",
  offline: "This device is offline.",
  empty_file: "This file is empty.",
  storage_full: "There is no room left for your files. Delete messages with files that you no longer need.",
  unknown: "Something went wrong. Try again.",
};

/** How long to wait, where the server tells. */
export const patience = {
  rate_limited: (wait: string) => `Too many attempts. Try again ${wait}.`,
  quota_exceeded: (wait: string) => `That is all for now. You can go on ${wait}.`,
  seconds: (n: number) => count(n, { one: `in ${n} second`, other: `in ${n} seconds` }),
  minutes: (n: number) => count(n, { one: `in ${n} minute`, other: `in ${n} minutes` }),
  hours: (n: number) => count(n, { one: `in ${n} hour`, other: `in ${n} hours` }),
};

/** What an error means where several things may lead to it, and the place tells which. */
export const refusals = {
  blocked: "This account has been blocked. Ask the people who run this server.",
  signUpClosed: "New accounts are made by an administrator here.",
  wrongPassword: "This password is wrong.",
  wrongOldPassword: "The current password is wrong.",
  lastOwner: "A group needs an owner. Make somebody else an owner first, or delete the group.",
  lastAdministrator: "The server needs an administrator. Make somebody else one first.",
  groupFull: "The group is full.",
  notAdded: "The group is full, or one of these people is in as many conversations as possible.",
  tooManyDialogs: "One of these people is in as many conversations as possible.",
  notWith: "You cannot write to this person.",
  unblockFirst: "You have blocked this person. Unblock them first.",
};

/** What is wrong with what was typed into a field. */
export const faults = {
  empty: "Please fill this in",
  over: (letters: number) => `Too long by ${count(letters, { one: `${letters} character`, other: `${letters} characters` })}`,
  hidden: "It has characters that nobody can see",
  login: "3 to 32 letters a–z, digits, . _ - (not first)",
  short: "At least 8 characters",
  email: "An address looks like anna@chat.example",
};
