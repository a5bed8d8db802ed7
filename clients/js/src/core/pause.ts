// How long to wait before connecting again. Pure: chance is passed in.
//
// Invariant: the pauses of one row of failures grow, whatever the server says; only success begins anew.
import { ADVICE_MAX_MS, adviceOf, CLOSE } from "./errors.js";

const BASE_MS = 500;
const MAX_MS = 30_000;
const LATER_MS = 5_000;
const LATER_MAX_MS = 120_000;
/** Nothing is wrong: the way there has changed. */
const AT_ONCE: readonly number[] = [CLOSE.switching, CLOSE.leader_changed, CLOSE.session_ended];

/**
 * @param attempt failures in a row before this one
 * @param code the close code
 * @param adviceMs what the server asked for; zero when it did not
 * @param random in 0…1
 * @returns milliseconds, or `null`: do not come back
 */
export function pauseMs(attempt: number, code: number, adviceMs: number, random: number): number | null {
  const advice = adviceOf(code);
  if (advice === "stop") return null;
  if (attempt === 0 && AT_ONCE.includes(code)) return 0;
  const growing = 2 ** Math.min(attempt, 30);
  const asked = Math.min(adviceMs, ADVICE_MAX_MS);
  if (advice === "later") return Math.max(asked, LATER_MS + random * Math.min(LATER_MAX_MS, LATER_MS * growing));
  // Full jitter: all the clients of a restarted server must not come at the same instant.
  const jitter = random * Math.min(MAX_MS, BASE_MS * growing);
  // The server spreads its clients itself, once. If that keeps failing, the pause must grow all the same.
  return asked && attempt === 0 ? asked : Math.max(asked, jitter);
}
