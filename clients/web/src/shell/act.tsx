// Small parts of forms: an act with its refusal, a question before what cannot be taken back, a labelled field.
//
// Invariant: an act that is under way is not begun twice, another one is not lost for it, and whatever refuses one is
// said beside it.
import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Fault } from "../model/fields";
import { type Cases, sayError, sayFault, words } from "../words";
import "./act.css";

/** Something that may take time and may be refused. */
export function useAct() {
  const problem = useSignal<unknown>(null);
  const underWay = useSignal<readonly string[]>([]);
  const isBusy = useComputed(() => underWay.value.length > 0);
  /** Does it, unless the same is under way; tells whether it was done. `what` tells acts of one place from each other. */
  const act = async (work: () => unknown, what = ""): Promise<boolean> => {
    if (underWay.peek().includes(what)) return false;
    underWay.value = [...underWay.peek(), what];
    problem.value = null;
    try {
      await work();
      return true;
    } catch (error) {
      problem.value = error;
      return false;
    } finally {
      underWay.value = underWay.peek().filter((one) => one !== what);
    }
  };
  return { act, isBusy, problem };
}

/** Reads something again and again, where an answer that comes late must not replace a later question's. */
export function useNewest() {
  const round = useRef(0);
  return async <Value,>(read: () => Promise<Value>, take: (value: Value) => void): Promise<void> => {
    const own = ++round.current;
    const value = await read();
    if (own === round.current) take(value);
  };
}

interface ProblemProps {
  readonly of: unknown;
  /** What it means here. */
  readonly cases?: Cases;
}

/** What went wrong, read aloud as it comes. */
export function Problem({ of, cases }: ProblemProps) {
  const line = useRef<HTMLParagraphElement>(null);
  // It may come in below what is seen.
  useEffect(() => {
    if (of) line.current?.scrollIntoView({ block: "nearest" });
  }, [of]);
  return (
    <p class="problem" role="alert" hidden={!of} ref={line}>
      {of ? sayError(of, cases) : ""}
    </p>
  );
}

interface SureProps {
  readonly label: string;
  readonly question: string;
  /** What the second button says; by default the same as the first. */
  readonly yes?: string;
  readonly children?: ComponentChildren;
  /** What refusals mean here. */
  readonly cases?: Cases;
  do(): unknown;
}

/** A button that asks before it does what cannot be taken back. */
export function Sure({ label, question, yes = label, children, cases, do: work }: SureProps) {
  const isAsked = useSignal(false);
  const { act, isBusy, problem } = useAct();
  if (!isAsked.value) {
    return (
      <button type="button" class="plain grave" onClick={() => (isAsked.value = true)}>
        {children}
        {label}
      </button>
    );
  }
  return (
    <fieldset class="sure" aria-label={label}>
      <p>{question}</p>
      <p class="acts">
        <button type="button" class="primary grave" aria-busy={isBusy.value} onClick={() => act(work)}>
          {yes}
        </button>
        <button type="button" class="plain" ref={(button) => button?.focus()} onClick={() => (isAsked.value = false)}>
          {words().cancel}
        </button>
      </p>
      <Problem of={problem.value} {...(cases ? { cases } : {})} />
    </fieldset>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string;
  /** What is wrong with what was typed, said in place of the hint. */
  readonly fault?: Fault | null;
  readonly children: (field: {
    readonly id: string;
    readonly "aria-describedby": string | undefined;
    readonly "aria-invalid": boolean;
  }) => ComponentChildren;
}

/** A label, what one fills in, a hint. */
export function Field({ label, hint, fault, children }: FieldProps) {
  const id = useId();
  const said = fault ? sayFault(fault) : hint;
  return (
    <div class="form-field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": said ? `${id}-hint` : undefined, "aria-invalid": !!fault })}
      {said && (
        <p class={fault ? "problem" : "quiet"} id={`${id}-hint`} role={fault ? "alert" : undefined}>
          {said}
        </p>
      )}
    </div>
  );
}

/** What is wrong with the fields of a form: looked for when it is sent, forgotten when the field is changed. */
export function useFaults<Name extends string>() {
  const faults = useSignal<Partial<Record<Name, Fault | null>>>({});
  /** Whether it may be sent; otherwise one is taken to the first field with a fault. */
  const check = (form: HTMLFormElement, found: Partial<Record<Name, Fault | null>>): boolean => {
    faults.value = found;
    const first = [...form.elements].find((field) => found[(field as HTMLInputElement).name as Name]);
    (first as HTMLElement | undefined)?.focus();
    return !first;
  };
  const forget = (name: Name) => {
    if (faults.peek()[name]) faults.value = { ...faults.peek(), [name]: null };
  };
  return { faults: faults.value, check, forget };
}
