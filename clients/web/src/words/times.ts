// Times as people read them: the clock, the day, and the shorter form a list has room for.
//
// Invariant: pure but for the time zone; `now` is passed in.
import type { Words } from "./en";

const DAY_MS = 86_400_000;

export class Times {
  readonly #words: Pick<Words, "today" | "yesterday">;
  readonly #clock: Intl.DateTimeFormat;
  readonly #weekday: Intl.DateTimeFormat;
  readonly #date: Intl.DateTimeFormat;
  readonly #dateOfYear: Intl.DateTimeFormat;
  readonly #short: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;

  constructor(language: string, words: Pick<Words, "today" | "yesterday">) {
    const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, options);
    this.#words = words;
    // "7:05 PM", and "07:05" where the day has 24 hours.
    const isHalved = format({ hour: "numeric" }).resolvedOptions().hour12;
    this.#clock = format({ hour: isHalved ? "numeric" : "2-digit", minute: "2-digit" });
    this.#weekday = format({ weekday: "short" });
    this.#date = format({ day: "numeric", month: "long", weekday: "long" });
    this.#dateOfYear = format({ day: "numeric", month: "long", year: "numeric" });
    this.#short = format({ day: "2-digit", month: "2-digit", year: "2-digit" });
    this.#full = format({ dateStyle: "full", timeStyle: "medium" });
  }

  /** "3:54 PM", "15:54". */
  clock(ms: number): string {
    return this.#clock.format(ms);
  }

  /** "Today", "Yesterday", "Friday, 20 November", "20 November 2025". */
  day(ms: number, now: number): string {
    const days = daysBetween(ms, now);
    if (days === 0) return this.#words.today;
    if (days === 1) return this.#words.yesterday;
    const isThisYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
    const text = (isThisYear ? this.#date : this.#dateOfYear).format(ms);
    return text.slice(0, 1).toLocaleUpperCase() + text.slice(1);
  }

  /** For a list: the clock today, a weekday this week, otherwise a date. */
  short(ms: number, now: number): string {
    const days = daysBetween(ms, now);
    if (days <= 0) return this.clock(ms);
    return (days < 7 ? this.#weekday : this.#short).format(ms);
  }

  /** In a sentence: "today, 3:54 PM". */
  seen(ms: number, now: number): string {
    const days = daysBetween(ms, now);
    return days <= 1 ? `${this.day(ms, now).toLocaleLowerCase()}, ${this.clock(ms)}` : this.#short.format(ms);
  }

  /** A moment ahead, by date and clock. */
  until(ms: number): string {
    return `${this.#short.format(ms)}, ${this.clock(ms)}`;
  }

  /** Everything that is known of a moment. */
  full(ms: number): string {
    return this.#full.format(ms);
  }
}

/** Midnights between two moments. */
export function daysBetween(earlier: number, later: number): number {
  const midnight = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
  // A day with a change of the clock has 23 or 25 hours.
  return Math.round((midnight(later) - midnight(earlier)) / DAY_MS);
}
