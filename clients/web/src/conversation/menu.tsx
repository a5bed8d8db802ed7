// The menu of a message: what one may do with it.
//
// Who may do what is the server's rule (PROTOCOL.md, "Relations"): one's own messages are edited and deleted, those of
// others are deleted by moderators, whoever may publish answers and reacts. Invariants: it is within the window; the
// focus goes back to where it came from.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "../look/icons";
import { useChat } from "../shell/here";
import { lazy } from "../shell/lazy";
import { words } from "../words";
import type { OpenLog, OpenMenu } from "./open";

const Emoji = lazy(() => import("./emoji").then(({ Emoji }) => Emoji));

/** At hand without the picker. */
const QUICK = ["👍", "❤️", "😂", "🎉", "😢", "🙏"];
const EDGE_PX = 8;

export function Menu({ log, menu }: { readonly log: OpenLog; readonly menu: OpenMenu }) {
  const { shown, x, y } = menu;
  const { conversation, mayWrite, mayModerate } = log;
  const { talk } = words();
  const box = useRef<HTMLDivElement>(null);
  const part = useSignal<"actions" | "emoji" | "remove">("actions");
  const close = () => {
    log.menu.value = null;
  };
  useClosing(box, close);
  usePlace(box, x, y, part.value);

  const act = (does: () => void) => () => {
    close();
    does();
  };
  const react = (emoji: string) => act(() => conversation.react(shown, emoji))();
  const copy = () => {
    void navigator.clipboard?.writeText(shown.said || shown.text).then(
      () => (log.note.value = talk.copied),
      () => {},
    );
  };
  const isWhole = !shown.isDeleted;
  const items: readonly [IconName, string, () => void, boolean][] = [
    ["reply", talk.reply, act(() => conversation.desk.answer(shown)), mayWrite && isWhole],
    ["pen", talk.edit, act(() => conversation.desk.change(shown)), mayWrite && isWhole && shown.isOwn && !shown.isBinary],
    ["copy", talk.copy, act(copy), isWhole && !!shown.text],
    ["trash", talk.remove, () => (part.value = "remove"), isWhole && ((shown.isOwn && mayWrite) || mayModerate)],
  ];
  return (
    <div class="menu-back">
      <div
        class="message-menu"
        ref={box}
        role="menu"
        aria-label={talk.menu}
        tabIndex={-1}
        onKeyDown={(event) => keys(event, box.current, close)}
      >
        {part.value === "emoji" && <Emoji onPick={react} />}
        {part.value === "remove" && (
          <div class="menu-sure">
            <p>
              <b>{talk.removeSure}</b>
            </p>
            <p class="quiet">{talk.removeHint}</p>
            <div>
              <button type="button" role="menuitem" class="plain" onClick={close}>
                {words().cancel}
              </button>
              <button type="button" role="menuitem" class="danger" onClick={act(() => conversation.remove(shown))}>
                {talk.remove}
              </button>
            </div>
          </div>
        )}
        {part.value === "actions" && (
          <>
            {mayWrite && isWhole && (
              // biome-ignore lint/a11y/useSemanticElements: a group of a menu is no fieldset
              <div class="menu-quick" role="group" aria-label={talk.emoji}>
                {QUICK.map((emoji) => (
                  <button key={emoji} type="button" role="menuitem" aria-label={talk.react(emoji)} onClick={() => react(emoji)}>
                    {emoji}
                  </button>
                ))}
                <button
                  type="button"
                  role="menuitem"
                  aria-label={talk.moreEmoji}
                  title={talk.moreEmoji}
                  onClick={() => (part.value = "emoji")}
                >
                  <Icon name="smile" />
                </button>
              </div>
            )}
            {items.map(
              ([icon, label, does, isThere]) =>
                isThere && (
                  <button
                    key={icon}
                    type="button"
                    role="menuitem"
                    class="menu-item"
                    data-danger={icon === "trash" || undefined}
                    onClick={does}
                  >
                    <Icon name={icon} size={18} /> {label}
                  </button>
                ),
            )}
            {shown.isOwn && isWhole && <Readers log={log} menu={menu} />}
          </>
        )}
      </div>
    </div>
  );
}

const READERS_MAX = 12;

/** By whom it was read, where there is more than one who could. */
function Readers({ log, menu: { shown } }: { readonly log: OpenLog; readonly menu: OpenMenu }) {
  const chat = useChat();
  const { talk, conversation: say } = words();
  const dialog = chat.dialogs.get(log.conversation.id);
  if (!dialog || dialog.kind === "direct") return null;
  const readers = log.conversation.readersOf(shown);
  const names = readers
    .slice(0, READERS_MAX)
    .map((user) => chat.people.get(user).value?.name ?? log.conversation.nameOf(user) ?? say.unknown);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of a menu is no fieldset
    <div class="menu-readers quiet" role="group">
      <p>
        <Icon name="ticks" size={16} /> {readers.length ? talk.readBy(readers.length) : talk.readByNobody}
      </p>
      {names.length > 0 && (
        <ul>
          {names.map((name, i) => (
            <li key={readers[i]} dir="auto">
              {name}
            </li>
          ))}
          {readers.length > READERS_MAX && <li>{talk.andMore(readers.length - READERS_MAX)}</li>}
        </ul>
      )}
    </div>
  );
}

/** Puts it where it was asked for, moved into the window where it would not fit. */
function usePlace(box: { readonly current: HTMLElement | null }, x: number, y: number, part: string): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const put = () => {
      const { width, height } = element.getBoundingClientRect();
      element.style.left = `${Math.max(EDGE_PX, Math.min(x, innerWidth - width - EDGE_PX))}px`;
      element.style.top = `${Math.max(EDGE_PX, y + height + EDGE_PX > innerHeight ? Math.min(y - height, innerHeight - height - EDGE_PX) : y)}px`;
    };
    const take = () => element.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
    put();
    // The menu has the focus from the beginning, so that its keys work; then the first of what is in it.
    element.focus({ preventScroll: true });
    take();
    // The picker comes later and is bigger.
    const observer = new ResizeObserver(() => {
      put();
      if (document.activeElement === element) take();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [x, y, part]);
}

/** A click beside it closes it; so does whatever moves the page below it. The focus goes back. */
function useClosing(box: { readonly current: HTMLElement | null }, close: () => void): void {
  // As it is drawn first: a moment later the focus is in it.
  const before = useRef(document.activeElement as HTMLElement | null);
  useEffect(() => {
    const elsewhere = ({ target }: Event) => {
      if (!box.current?.contains(target as Node)) close();
    };
    addEventListener("pointerdown", elsewhere, true);
    addEventListener("wheel", elsewhere, { capture: true, passive: true });
    addEventListener("resize", close);
    const menu = box.current;
    return () => {
      removeEventListener("pointerdown", elsewhere, true);
      removeEventListener("wheel", elsewhere, true);
      removeEventListener("resize", close);
      // What was chosen may have taken the focus already.
      if (!document.activeElement || document.activeElement === document.body || menu?.contains(document.activeElement)) {
        before.current?.focus?.();
      }
    };
  }, []);
}

function keys(event: KeyboardEvent, box: HTMLElement | null, close: () => void): void {
  const items = [...(box?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : step ? (at + step + items.length) % items.length : -1;
  if (to >= 0) items[to]?.focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
