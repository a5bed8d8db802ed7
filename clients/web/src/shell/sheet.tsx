// A sheet laid over the page: what one does before one goes on.
//
// Owns the focus while it is there. Invariant: Esc, the cross and a press beside it do the same, and the focus goes back
// to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import { words } from "../words";
import "./sheet.css";

interface SheetProps {
  readonly title: string;
  readonly children: ComponentChildren;
  close(): void;
}

export function Sheet({ title, children, close }: SheetProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement as HTMLElement | null;
    element?.showModal();
    return () => {
      element?.close();
      before?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="sheet"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        // What is beside the paper is the dialog itself.
        if (event.target === event.currentTarget) close();
      }}
    >
      <div class="sheet-paper">
        <header class="sheet-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="quiet-button" aria-label={words().close} title={words().close} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        <div class="sheet-body">{children}</div>
      </div>
    </dialog>
  );
}
