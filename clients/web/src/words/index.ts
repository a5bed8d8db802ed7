// The language in use, its words, and how it writes times.
//
// Invariant: whoever reads `words()` while drawing is drawn again when the language changes.
import { effect, signal } from "@preact/signals";
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

/** What went wrong, for a person: our words where we have some, otherwise the server's. Of a weak password, what is better. */
export function sayError(error: unknown): string {
  const { name = "", message = "", problem } = error as { name?: string; message?: string; problem?: { advice?: unknown } };
  const known: Readonly<Record<string, string>> = words().errors;
  const advice: Readonly<Record<string, string>> = words().advice;
  const better = Array.isArray(problem?.advice) ? problem.advice.map((one) => advice[String(one)]) : [];
  return [known[name] ?? (message || String(error)), ...better].filter(Boolean).join(" ");
}

effect(() => {
  document.documentElement.lang = language.value;
});
