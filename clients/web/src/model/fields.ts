// What may be typed into the fields of forms, by the server's rules.
//
// Pure. Invariant: what passes here is not refused by the server for its form, so that a form says what is wrong beside
// the field, in the person's language, before anything is sent.

/** What is wrong with a text: by how many characters it is too long, or what else. */
export type Fault = "empty" | "hidden" | "login" | "short" | "email" | { readonly over: number };

/** Longest texts, bytes. */
export const BYTES_MAX = { name: 64, title: 128, about: 1_000, password: 256 } as const;

const LOGIN = /^[a-z0-9][a-z0-9._-]{2,31}$/i;
const PASSWORD_MIN = 8;
const LOCAL = /^[\w!#$%&'*+\-/=?^`{|}~](?:[\w.!#$%&'*+\-/=?^`{|}~]{0,62}[\w!#$%&'*+\-/=?^`{|}~])?$/;
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const EMAIL_MAX = 254;
const CONTROL = /\p{Cc}/u;
/** What shows nothing, or turns what is around it: from and to. */
const INVISIBLE: readonly (readonly [number, number])[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2800, 0x2800],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];
/** Joins and colours pictures, after anything but a letter. */
const JOINT = /[\u200D\uFE0F]/;
const WORD = /[\p{Alphabetic}\p{N}\s]/u;

const utf8 = new TextEncoder();

/** A login. */
export const loginFault = (text: string): Fault | null => (LOGIN.test(text) ? null : text ? "login" : "empty");

/** What a person or a group is called: one line, not empty. */
export function lineFault(text: string, bytesMax: number): Fault | null {
  const line = text.normalize("NFC").trim().replace(/\s+/g, " ");
  return line ? (hiddenFault(text.normalize("NFC"), false) ?? longFault(line, bytesMax)) : "empty";
}

/** What is told of a person or a group: lines, or nothing. */
export const aboutFault = (text: string): Fault | null =>
  hiddenFault(text.normalize("NFC"), true) ?? longFault(text.normalize("NFC"), BYTES_MAX.about);

/** A password that is to be. What is easy to guess is found by the server. */
export function newPasswordFault(text: string): Fault | null {
  if (!text) return "empty";
  return [...text].length < PASSWORD_MIN ? "short" : longFault(text, BYTES_MAX.password);
}

/** An address, or nothing. */
export function emailFault(text: string): Fault | null {
  const at = text.indexOf("@");
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  return !text || (at > 0 && text.length <= EMAIL_MAX && LOCAL.test(local) && DOMAIN.test(domain)) ? null : "email";
}

function hiddenFault(text: string, mayBreak: boolean): Fault | null {
  let before = " ";
  for (const c of text) {
    const isJoint = JOINT.test(c) && !WORD.test(before);
    if ((CONTROL.test(c) && !(mayBreak && c === "\n")) || (isInvisible(c) && !isJoint)) return "hidden";
    before = c;
  }
  return null;
}

function isInvisible(c: string): boolean {
  const code = c.codePointAt(0) ?? 0;
  return INVISIBLE.some(([from, to]) => code >= from && code <= to);
}

/** By how many characters of its end it is too long. */
function longFault(text: string, bytesMax: number): Fault | null {
  let bytes = utf8.encode(text).length;
  let over = 0;
  for (const c of [...text].reverse()) {
    if (bytes <= bytesMax) break;
    bytes -= utf8.encode(c).length;
    over++;
  }
  return over ? { over } : null;
}
