// The list of messages: drawing, grouping, scrolling back, what waits to be sent.
//
// Text from people enters the document by `textContent` only.

import { forgetTyping, nameOf, paint } from "./people.js";
import { $, room } from "./visit.js";
import { language, refusal, say, word } from "./words.js";

/** Messages of one sender within this time share one head. */
const GROUP_MS = 5 * 60_000;
/** Most items kept in the document; older ones are asked for again when scrolled to. */
const ITEMS_MAX = 600;
const DRAW_EVERY_MS = 16;

const list = $("messages");
const scroll = $("scroll");

/** Elements of messages in the log, by offset. */
const items = new Map();
/** The message of the log that an item shows. */
const messageOf = new WeakMap();
/** By the offset of their message, and then by their own. */
const remarks = new Map();
/** Messages of the log that are not drawn yet. */
const gathered = [];
let drawing = 0;
let unseen = 0;
let unseenInTitle = 0;
let isLoading = false;

const itemOf = (id) => list.querySelector(`[data-message-id="${CSS.escape(id)}"]`);
const isAtEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
export const toEnd = () => (scroll.scrollTop = scroll.scrollHeight);

/** A thousand messages in a second are drawn some at a time, not each by itself. */
export function gather(messages) {
  gathered.push(...messages);
  drawing ||= setTimeout(() => {
    drawing = 0;
    showMessages(gathered.splice(0));
  }, DRAW_EVERY_MS);
}

function showMessages(messages) {
  const follow = isAtEnd();
  const isSeen = follow && !document.hidden;
  let first = null;
  for (const message of messages) {
    forgetTyping(message.sender);
    if (isRemark(message)) takeRemark(message);
    if (isRemark(message) || message.kind === "service") continue;
    itemOf(message.message_id)?.remove();
    const item = list.insertBefore(itemFor(message), list.querySelector(".pending"));
    first ??= item;
    if (message.sender === room.user) continue;
    if (!isSeen) unseen += 1;
    if (document.hidden) unseenInTitle += 1;
  }
  regroup(first);
  showBeginning();
  if (follow) {
    trimItems();
    toEnd();
  }
  showDown();
  fillScreen();
}

/** Edits, deletes, reactions and appended parts are remarks on a message, not items of their own. */
const isRemark = ({ relation }) => relation && relation.kind !== "reply";

/** Keeps a remark for its message, which may be drawn later, when somebody scrolls up to it. */
function takeRemark(message) {
  const { offset } = message.relation;
  if (!remarks.has(offset)) remarks.set(offset, new Map());
  remarks.get(offset).set(message.offset, message);
  if (items.has(offset)) drawText(items.get(offset));
}

/** What a message says after all remarks on it, in their order. */
function drawText(item) {
  const message = messageOf.get(item);
  const text = item.querySelector(".text");
  item.querySelector(".reactions").replaceChildren();
  text.textContent = textOf(message.payload);
  const known = [...(remarks.get(message.offset)?.values() ?? [])].sort((a, b) => a.offset - b.offset);
  for (const { relation, payload, sender } of known.filter((remark) => !remark.erased)) {
    if (relation.kind === "append") text.textContent += textOf(payload);
    if (relation.kind === "edit") {
      text.textContent = textOf(payload);
      say(item.querySelector(".note"), "edited");
    }
    if (relation.kind === "reaction") {
      const mark = item.querySelector(".reactions").appendChild(document.createElement("span"));
      mark.textContent = textOf(payload).slice(0, 8);
      mark.title = nameOf(sender);
    }
  }
  if (message.erased || known.some(({ relation }) => relation.kind === "delete")) showErased(item);
}

const textOf = (payload) => (typeof payload === "object" ? word("data") : payload ?? "");

function itemFor(message) {
  const { offset, sender, sender_name, message_id, time_ms } = message;
  const item = newItem(sender, sender_name || sender, message_id, time_ms, "");
  item.dataset.offset = offset;
  items.set(offset, item);
  messageOf.set(item, message);
  drawText(item);
  return item;
}

function newItem(sender, name, id, time, text) {
  const item = $("message").content.firstElementChild.cloneNode(true);
  Object.assign(item.dataset, { sender, messageId: id, time });
  item.classList.toggle("own", sender === room.user);
  paint(item.querySelector(".face"), sender, name);
  item.querySelector(".name").textContent = name;
  item.querySelector(".text").textContent = text;
  item.querySelector("time").dateTime = new Date(time).toISOString();
  showTime(item.querySelector("time"));
  return item;
}

function showErased(item) {
  item.classList.add("erased");
  say(item.querySelector(".text"), "deleted");
  item.querySelector(".reactions").replaceChildren();
  item.querySelector(".note").textContent = "";
}

export function showPending(message) {
  const item = newItem(room.user, room.visitor.name, message.id, message.time, message.text);
  item.classList.add("own", "pending");
  say(item.querySelector(".note"), "sending");
  list.append(item);
  if (message.failed) showFailure(message);
  regroup(item);
}

/** Stored long ago, where the page does not reach: it is not repeated at the end. */
export function forgetPending(message) {
  const item = itemOf(message.id);
  if (!item?.classList.contains("pending")) return;
  item.remove();
  regroup();
}

export function showFailure(message) {
  const item = itemOf(message.id);
  if (!item) return;
  item.classList.add("failed");
  delete item.querySelector(".note").dataset.word;
  item.querySelector(".note").textContent = `${word("not_sent")}: ${refusal(message.failed)}`;
  const button = (name, action) => {
    const made = item.querySelector(".remedies").appendChild(document.createElement("button"));
    made.type = "button";
    say(made, name);
    made.addEventListener("click", action);
  };
  button("retry", () => {
    item.classList.remove("failed");
    say(item.querySelector(".note"), "sending");
    item.querySelector(".remedies").replaceChildren();
    room.retry(message);
  });
  button("remove", () => {
    room.remove(message.id);
    item.remove();
    regroup();
  });
}

export function forgetMessages() {
  items.clear();
  remarks.clear();
  gathered.length = 0;
  for (const item of [...list.children]) if (!item.classList.contains("pending")) item.remove();
  showNotice("reset");
}

/** Heads and days depend on the item before: from `first` on they are set anew. */
function regroup(first = list.firstElementChild) {
  let previous = first?.previousElementSibling;
  for (let item = first; item; item = item.nextElementSibling) {
    const { sender, time } = item.dataset;
    const isNewDay = !previous || dayOf(previous.dataset.time) !== dayOf(time);
    item.classList.toggle("new-day", isNewDay);
    item.classList.toggle("follows", !isNewDay && previous.dataset.sender === sender && time - previous.dataset.time < GROUP_MS);
    showDay(item);
    previous = item;
  }
}

const dayOf = (time) => new Date(Number(time)).toDateString();

function showDay(item) {
  const day = item.querySelector(".day");
  if (!item.classList.contains("new-day")) return (day.textContent = "");
  const time = Number(item.dataset.time);
  const isDay = (then) => dayOf(time) === dayOf(then);
  day.textContent = isDay(Date.now()) ? word("today") : isDay(Date.now() - 864e5) ? word("yesterday")
    : new Date(time).toLocaleDateString(language, { day: "numeric", month: "long", year: "numeric" });
}

function showTime(element) {
  const time = new Date(element.dateTime);
  element.textContent = time.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  element.title = time.toLocaleString(language);
}

export function showNotice(key, text = word(key)) {
  const notice = $("notice");
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(showNotice.timer);
  showNotice.timer = setTimeout(() => (notice.hidden = true), 12_000);
}

export function showBeginning() {
  const key = isLoading ? "older" : room.hasOlder ? "" : room.isTrimmed ? "trimmed" : items.size || room.outbox.length ? "beginning" : "empty";
  $("beginning").textContent = key && room.isAttached ? word(key) : "";
}

function trimItems() {
  if (items.size < ITEMS_MAX * 1.2) return; // Not one by one: each time costs a look at all that stay.
  for (const [offset, item] of items) {
    if (items.size <= ITEMS_MAX) break;
    item.remove();
    items.delete(offset);
  }
  room.forgetBefore(items.keys().next().value);
  regroup();
}

async function loadOlder() {
  if (isLoading || drawing || !room.hasOlder || !room.isAttached) return;
  isLoading = true;
  showBeginning();
  const messages = await room.older();
  const below = scroll.scrollHeight - scroll.scrollTop;
  const held = [...items];
  items.clear();
  const made = messages.filter((message) => message.kind !== "service" && !isRemark(message)).map(itemFor);
  for (const [offset, item] of held) items.set(offset, item); // In rising order again.
  list.prepend(...made);
  for (const message of messages) if (isRemark(message)) takeRemark(message);
  regroup();
  isLoading = false;
  showBeginning();
  scroll.scrollTop = scroll.scrollHeight - below;
  fillScreen();
}

/** Without a scroll bar nobody can ask for more by scrolling. */
function fillScreen() {
  if (scroll.scrollHeight <= scroll.clientHeight) loadOlder();
}

scroll.addEventListener("scroll", () => {
  if (scroll.scrollTop < 200) loadOlder();
  if (isAtEnd()) unseen = 0;
  showDown();
}, { passive: true });

function showDown() {
  $("down").hidden = isAtEnd();
  $("down").textContent = word("down", unseen);
  document.title = unseenInTitle ? `(${unseenInTitle}) Konvert` : "Konvert";
}

$("down").addEventListener("click", toEnd);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseenInTitle = 0;
  showDown();
});
scroll.dataset.end = true;
new ResizeObserver(() => scroll.dataset.end === "true" && toEnd()).observe(scroll);
scroll.addEventListener("scroll", () => (scroll.dataset.end = isAtEnd()), { passive: true });

/** Says everything again, in the language that is now in use. */
export function retellMessages() {
  for (const element of list.querySelectorAll("time")) showTime(element);
  for (const item of list.children) showDay(item);
  scroll.setAttribute("aria-label", room.name);
  showBeginning();
  showDown();
}

export const hasMessages = () => items.size > 0;
