// A button with a menu, and the menu of a place where somebody has pressed the other button.
//
// Invariant: while it is open it has the focus; arrows go through it, Esc and a press elsewhere close it.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "../look/icons";
import "./menu.css";

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconName;
  /** It cannot be taken back. */
  readonly isGrave?: boolean;
  do(): unknown;
}

/** Where a menu hangs: under a button, or where a pointer was. */
export interface Anchor {
  readonly x: number;
  readonly y: number;
}

interface MenuButtonProps {
  readonly label: string;
  readonly items: () => readonly MenuItem[];
  /** It is reached in another way by keyboard. */
  readonly isAside?: boolean;
}

export function MenuButton({ label, items, isAside = false }: MenuButtonProps) {
  const anchor = useSignal<Anchor | null>(null);
  return (
    <>
      <button
        type="button"
        class="quiet-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={!!anchor.value}
        tabIndex={isAside ? -1 : 0}
        onClick={(event) => {
          const { right, bottom } = event.currentTarget.getBoundingClientRect();
          anchor.value = { x: right, y: bottom + 2 };
        }}
      >
        <Icon name="more" />
      </button>
      {anchor.value && <Menu label={label} items={items()} anchor={anchor.value} close={() => (anchor.value = null)} />}
    </>
  );
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly anchor: Anchor;
  close(): void;
}

/** Kept away from the edges of the window, pixels. */
const EDGE_PX = 8;

export function Menu({ label, items, anchor, close }: MenuProps) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const { offsetWidth: width, offsetHeight: height } = element;
    const within = (at: number, size: number, room: number) => Math.max(EDGE_PX, Math.min(at, room - size - EDGE_PX));
    element.style.left = `${within(anchor.x - width, width, innerWidth)}px`;
    element.style.top = `${within(anchor.y, height, innerHeight)}px`;
  }, [anchor]);
  useEffect(() => {
    const element = box.current;
    const before = document.activeElement as HTMLElement | null;
    element?.querySelector<HTMLElement>("button")?.focus();
    const away = (event: Event) => {
      if (!element?.contains(event.target as Node)) close();
    };
    addEventListener("pointerdown", away, true);
    addEventListener("blur", close);
    addEventListener("resize", close);
    return () => {
      removeEventListener("pointerdown", away, true);
      removeEventListener("blur", close);
      removeEventListener("resize", close);
      if (element?.contains(document.activeElement) || document.activeElement === document.body) before?.focus();
    };
  }, []);
  return (
    <div ref={box} class="menu" role="menu" aria-label={label} tabIndex={-1} onKeyDown={(event) => walk(event, close)}>
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          tabIndex={-1}
          data-grave={item.isGrave || undefined}
          onClick={() => {
            close();
            void item.do();
          }}
        >
          {item.icon && <Icon name={item.icon} size={18} />}
          {item.label}
        </button>
      ))}
    </div>
  );
}

function walk(event: KeyboardEvent, close: () => void): void {
  const items = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined) items[(to + items.length) % items.length]?.focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
