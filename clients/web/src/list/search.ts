// Finding: dialogs by their title, people by login or name.
//
// Invariants: an answer that comes late never replaces that of a later question; "nobody" is said only when the server has
// said so.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Dialog, Person } from "../model/resources";
import { useChat } from "../shell/here";
import { sayError, words } from "../words";
import { titleOf } from "./title";

/** Keys closer together than this are one question, milliseconds. */
const PAUSE_MS = 200;
/** Shorter questions are not answered, letters. */
export const QUERY_MIN = 2;

/** Dialogs whose title has every word of the query; first those where each begins a word, otherwise in their order. */
export function matching(dialogs: readonly Dialog[], query: string): readonly Dialog[] {
  const parts = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const begin: Dialog[] = [];
  const within: Dialog[] = [];
  for (const dialog of dialogs) {
    const title = titleOf(dialog).toLocaleLowerCase();
    if (!parts.every((part) => title.includes(part))) continue;
    const beginnings = title.split(/[^\p{L}\p{N}]+/u);
    (parts.every((part) => title.startsWith(part) || beginnings.some((word) => word.startsWith(part))) ? begin : within).push(dialog);
  }
  return [...begin, ...within];
}

/** How far one is with finding people. */
export interface Finding {
  /** `short`: the question is none yet; `failed`: nobody knows the answer. */
  readonly state: "short" | "looking" | "found" | "failed";
  readonly people: readonly Person[];
  readonly error?: unknown;
}

const SHORT: Finding = { state: "short", people: [] };
const LOOKING: Finding = { state: "looking", people: [] };

/** What is to be said of it in place of people. */
export function sayFinding({ state, people, error }: Finding): string {
  const { contacts } = words();
  if (state === "short") return contacts.hint;
  if (state === "failed") return sayError(error, { bad_request: contacts.tooLong });
  return state === "found" && !people.length ? contacts.nobody : "";
}

/** People by a query. What failed is asked again when there is a connection. */
export function usePeople(query: string): Finding {
  const chat = useChat();
  const finding = useSignal<Finding>(SHORT);
  const answered = useRef("");
  const wanted = query.trim();
  const isConnected = chat.connection.state.value.name === "connected";
  useEffect(() => {
    const isShort = [...wanted].length < QUERY_MIN;
    if (isShort) finding.value = SHORT;
    if (isShort || (finding.peek().state === "found" && answered.current === wanted)) return;
    finding.value = LOOKING;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      let next: Finding;
      try {
        const people = await chat.people.find(wanted, abort.signal);
        next = { state: "found", people: people.filter(({ id }) => id !== chat.me.id) };
      } catch (error) {
        next = { state: "failed", people: [], error };
      }
      if (abort.signal.aborted) return;
      answered.current = wanted;
      finding.value = next;
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [wanted, chat, isConnected]);
  return finding.value;
}
