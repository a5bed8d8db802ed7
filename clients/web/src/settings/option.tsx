// One of a few things to choose from.
import type { ComponentChildren } from "preact";

interface ChoiceProps {
  readonly label: string;
  readonly children: ComponentChildren;
}

export function Choice({ label, children }: ChoiceProps) {
  return (
    <fieldset class="card">
      <legend>{label}</legend>
      <div class="options">{children}</div>
    </fieldset>
  );
}

interface OptionProps {
  readonly isChosen: boolean;
  readonly isDisabled?: boolean;
  readonly children: ComponentChildren;
  choose(): void;
}

export function Option({ isChosen, isDisabled = false, choose, children }: OptionProps) {
  return (
    <button type="button" class="option" aria-pressed={isChosen} disabled={isDisabled} onClick={choose}>
      {children}
    </button>
  );
}
