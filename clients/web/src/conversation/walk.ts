// The messages by keyboard: arrows go from one to the next, Enter opens the menu of the one that has the focus.
//
// Invariant: what is inside a message keeps its own keys.
import type { OpenLog } from "./open";

export function walk(event: KeyboardEvent, log: OpenLog): void {
  const scroller = event.currentTarget as HTMLElement;
  const at = event.target as HTMLElement;
  const isMessage = at.matches("[data-message-id]");
  if (event.ctrlKey || event.metaKey || event.altKey || (at !== scroller && !isMessage)) return;
  const messages = [...scroller.querySelectorAll<HTMLElement>("[data-message-id]")];
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    const step = event.key === "ArrowUp" ? -1 : 1;
    const { bottom } = scroller.getBoundingClientRect();
    const last = messages.findLastIndex((message) => message.getBoundingClientRect().bottom <= bottom + 1);
    const next = isMessage ? messages[messages.indexOf(at) + step] : messages[last < 0 ? messages.length - 1 : last];
    next?.focus();
  } else if (
    isMessage &&
    (event.key === "Enter" || event.key === " " || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))
  ) {
    const message = log.conversation.messages
      .peek()
      .find(({ messageId, offset }) => messageId === at.dataset.messageId && String(offset) === at.dataset.offset);
    const box = at.querySelector(".paper")?.getBoundingClientRect();
    if (message?.state === "stored" && box) log.menu.value = { shown: message, x: box.left, y: Math.min(box.bottom, innerHeight) };
  } else if (isMessage && event.key === "Escape") {
    document.querySelector<HTMLElement>("textarea[name=message]")?.focus();
  } else return;
  event.preventDefault();
}
