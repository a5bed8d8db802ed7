// Finding: dialogs by their title, people by login or name.
//
// Invariant: an answer that comes late never replaces that of a later question.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Dialog, Person } from "../model/resources";
import { useChat } from "../shell/here";
import { titleOf } from "./title";

/** Keys closer together than this are one question, milliseconds. */
const PAUSE_MS = 200;
/** Shorter questions are not answered, letters. */
export const QUERY_MIN = 2;

/** Dialogs whose title has every word of the query. */
export function matching(dialogs: readonly Dialog[], query: string): readonly Dialog[] {
  const parts = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return dialogs.filter((dialog) => parts.every((part) => titleOf(dialog).toLocaleLowerCase().includes(part)));
}

/** People by a query; `null` while nobody knows yet. */
export function usePeople(query: string): readonly Person[] | null {
  const chat = useChat();
  const found = useSignal<readonly Person[] | null>(null);
  const wanted = query.trim();
  useEffect(() => {
    found.value = wanted.length < QUERY_MIN ? [] : null;
    if (found.value) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      const people = await chat.people.find(wanted, abort.signal).catch(() => []);
      if (!abort.signal.aborted) found.value = people.filter(({ id }) => id !== chat.me.id);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [wanted, chat]);
  return found.value;
}
