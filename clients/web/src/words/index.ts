// The language in use, its words, and how it writes times.
//
// Invariant: whoever reads `words()` while drawing is drawn again when the language changes.
import { effect, signal } from "@preact/signals";
import type { Fault } from "../model/fields";
import { en, type Words } from "./en";
import { ru } from "./ru";
import { Times } from "./times";

const LANGUAGES = { en, ru } as const;

/** What the app can speak. */
export type Language = keyof typeof LANGUAGES;

export const languages = Object.keys(LANGUAGES) as Language[];

const KEY = "konvert.language";
const isKnown = (name: string | null | undefined): name is Language => !!name && name in LANGUAGES;

function chosen(): Language {
  const kept = localStorage.getItem(KEY);
  if (isKnown(kept)) return kept;
  return navigator.languages.map((name) => name.slice(0, 2)).find(isKnown) ?? "en";
}

/** The language in use: the one chosen here before, or the first of the browser's that we speak. */
export const language = signal<Language>(chosen());

/** Changes the language and remembers it. */
export function speak(name: Language): void {
  language.value = name;
  localStorage.setItem(KEY, name);
}

/** The words of the language in use. */
export const words = (): Words => LANGUAGES[language.value];

/** What a language calls itself. */
export const nameOf = (name: Language): string => LANGUAGES[name].language;

const writers = new Map<Language, Times>();

/** How the language in use writes times. */
export function times(): Times {
  const name = language.value;
  let writer = writers.get(name);
  if (!writer) writers.set(name, (writer = new Times(name, LANGUAGES[name])));
  return writer;
}

/** What an error means where it happened, by its name, in place of what it means everywhere. */
export type Cases = Readonly<Record<string, string>>;

/** Shorter pauses are over before they are read, milliseconds. */
const PAUSE_MS = 5_000;
/** The SDK tells no longer ones: this means "at least". */
const ADVICE_MAX_MS = 600_000;

/** What went wrong, for a person, in our words always: the server's are for who writes programs. Of a weak password, what is better. */
export function sayError(error: unknown, cases: Cases = {}): string {
  const { name = "", problem, retryAfterMs = 0 } = error as { name?: string; problem?: Record<string, unknown>; retryAfterMs?: number };
  const { errors, patience, advice } = words();
  // An answer over HTTP tells how long exactly.
  const told = problem?.retry_after_ms;
  const waitMs = typeof told === "number" ? told : retryAfterMs < ADVICE_MAX_MS ? retryAfterMs : 0;
  if ((name === "rate_limited" || name === "quota_exceeded") && waitMs >= PAUSE_MS) return patience[name](sayWait(waitMs));
  // What is kept becomes less by no waiting.
  if (name === "quota_exceeded" && problem && !waitMs) return errors.storage_full;
  if ((name === "http" || name === "network") && !navigator.onLine) return errors.offline;
  const better = Array.isArray(problem?.advice) ? problem.advice.map((one) => of(advice, String(one))) : [];
  return [of(cases, name) ?? of(errors, name) ?? errors.unknown, ...better].filter(Boolean).join(" ");
}

/** Names come from the server: only what was written here answers to them. */
const of = (texts: Cases, name: string): string | undefined => (Object.hasOwn(texts, name) ? texts[name] : undefined);

/** "in 15 minutes". */
function sayWait(ms: number): string {
  const { patience } = words();
  if (ms <= 90_000) return patience.seconds(Math.ceil(ms / 1_000));
  return ms <= 90 * 60_000 ? patience.minutes(Math.ceil(ms / 60_000)) : patience.hours(Math.ceil(ms / 3_600_000));
}

/** What is wrong with what was typed into a field. */
export function sayFault(fault: Fault): string {
  const { faults } = words();
  return typeof fault === "string" ? faults[fault] : faults.over(fault.over);
}

effect(() => {
  document.documentElement.lang = language.value;
});
