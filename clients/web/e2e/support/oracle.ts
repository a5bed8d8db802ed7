// What must be shown, judged against what the server keeps. Pure: knows neither browser nor server.
//
// Invariant: whatever is lost, doubled, out of order, altered or never stored is named in a fault; no fault, no doubt.
import type { Stored } from "./api.ts";

/** A message as a page shows it. */
export interface Shown {
  readonly id: string;
  /** Absent while it is not stored. */
  readonly offset?: number;
  readonly text: string;
  readonly ticks?: string;
  /** Shown as deleted. */
  readonly isErased?: boolean;
}

/** What people see of a history: edits applied, reactions and bookkeeping left out. */
export function fold(history: readonly Stored[]): Shown[] {
  const items = new Map<number, { id: string; offset: number; text: string; isErased: boolean }>();
  for (const { offset, message_id, text = "", kind, erased, relation } of history) {
    const target = relation && items.get(relation.offset);
    if (relation && relation.kind !== "reply") {
      if (erased || !target) continue;
      if (relation.kind === "edit") target.text = text;
      else if (relation.kind === "append") target.text += text;
      else if (relation.kind === "delete") target.isErased = true;
    } else if (kind !== "service") items.set(offset, { id: message_id, offset, text, isErased: !!erased });
  }
  return [...items.values()];
}

/** Numbers begin at 1 and have no hole; no message id is there twice from one sender. */
export function historyFaults(history: readonly Stored[]): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  history.forEach(({ offset, sender, message_id }, i) => {
    if (offset !== i + 1) faults.push(`stored: ${offset} stands where ${i + 1} should`);
    const key = `${sender} ${message_id}`;
    if (seen.has(key)) faults.push(`stored: ${key} is there twice`);
    seen.add(key);
  });
  return faults;
}

/** One look at a page: a stretch of what must be seen, without a hole, doubles or strangers. */
export function stretchFaults(shown: readonly Shown[], wanted: readonly Shown[]): string[] {
  const faults: string[] = [];
  const places = new Map(wanted.map((item, i) => [item.offset, i]));
  let before: number | undefined;
  const ids = new Set<string>();
  for (const { id, offset, text, isErased } of shown) {
    const name = `${offset ?? "not stored"} "${text.slice(0, 40)}"`;
    if (ids.has(id)) faults.push(`doubled: ${name}`);
    ids.add(id);
    if (offset === undefined) {
      faults.push(`not stored: ${name}`);
      continue;
    }
    const place = places.get(offset);
    const item = place === undefined ? undefined : wanted[place];
    if (place === undefined || !item) {
      faults.push(`never said: ${name}`);
      continue;
    }
    if (item.id !== id) faults.push(`another id: ${name} has ${id}, stored is ${item.id}`);
    if (item.isErased !== true && isErased !== true && item.text !== text) {
      faults.push(`altered: ${name}, stored is "${item.text.slice(0, 40)}"`);
    }
    if ((item.isErased ?? false) !== (isErased ?? false)) faults.push(`${isErased ? "erased only here" : "not erased"}: ${name}`);
    if (before !== undefined && place <= before) faults.push(`out of order: ${name}`);
    else if (before !== undefined && place !== before + 1) {
      const lost = wanted.slice(before + 1, place).map((one) => one.offset);
      faults.push(`lost: ${lost.join(", ")} before ${name}`);
    }
    before = place;
  }
  return faults;
}

/** A whole list, put together from many looks: nothing that must be seen is missing at its ends either. */
export function listFaults(shown: readonly Shown[], wanted: readonly Shown[]): string[] {
  const faults = stretchFaults(shown, wanted);
  const seen = new Set(shown.map(({ offset }) => offset));
  for (const { offset, text } of wanted) if (!seen.has(offset)) faults.push(`lost: ${offset} "${text.slice(0, 40)}"`);
  return faults;
}

/** What one person typed is there once, and in the order in which it was typed. */
export function saidFaults(said: readonly string[], history: readonly Stored[], sender: string): string[] {
  const faults: string[] = [];
  const stored = history.filter((one) => one.sender === sender && one.kind !== "service" && !one.relation);
  const texts = stored.map(({ text }) => text ?? "");
  for (const text of new Set(said)) {
    const times = texts.filter((one) => one === text).length;
    const typed = said.filter((one) => one === text).length;
    if (times < typed) faults.push(`said and never stored: "${text}"`);
    if (times > typed) faults.push(`said ${typed} times, stored ${times} times: "${text}"`);
  }
  const strangers = texts.filter((text) => !said.includes(text));
  for (const text of strangers) faults.push(`stored and never said: "${text}"`);
  if (!faults.length && texts.join("\0") !== said.join("\0")) faults.push(`stored in another order than said: ${texts.join(" | ")}`);
  return faults;
}
