// An empty place: the envelope, what is (not) here, and perhaps what to do about it.
import type { ComponentChildren } from "preact";
import { Envelope } from "../look/envelope";

interface EmptyProps {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly action?: { readonly label: string; do(): void };
  /** The envelope is closed with a seal: what is in it is not for us. */
  readonly isSealed?: boolean;
}

export function Empty({ title, children, action, isSealed = false }: EmptyProps) {
  return (
    <div class="empty">
      <Envelope isSealed={isSealed} />
      <h2>{title}</h2>
      {children && <p class="quiet">{children}</p>}
      {action && (
        <button type="button" class="primary" onClick={action.do}>
          {action.label}
        </button>
      )}
    </div>
  );
}
