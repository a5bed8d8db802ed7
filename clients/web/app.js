// The page: what is seen and typed. The protocol is konvert.js's matter, the words are words.js's.
//
// Text from people enters the document by `textContent` only.

import { Room } from "./konvert.js";
import { language, refusal, switchLanguage, word } from "./words.js";

const ROOM = "lobby";
const URL_OF_SOCKET = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/websocket`;
/** Messages of one sender within this time share one head. */
const GROUP_MS = 5 * 60_000;
const TYPING_SHOWN_MS = 4_000;
/** Most items kept in the document; older ones are asked for again when scrolled to. */
const ITEMS_MAX = 600;
const NAMES_MAX = 200;

const $ = (id) => document.getElementById(id);
const list = $("messages");
const scroll = $("scroll");

// Who one is belongs to the tab, so that two tabs are two people; the name is remembered for the next visit.
const STORE = {
  load: () => JSON.parse(sessionStorage.getItem("konvert") ?? "{}"),
  save: (visitor) => sessionStorage.setItem("konvert", JSON.stringify(visitor)),
};

const room = new Room(URL_OF_SOCKET, ROOM, STORE, {
  state: showState, identity: () => showPeople(), messages: showMessages, stored: (message) => list.querySelector(`.pending[data-message-id="${message.id}"]`)?.remove(),
  failed: showFailure, people: showPeople, typing: showTyping, reset: forgetMessages, notice: showNotice, refused: showRefusal,
});

/** Elements of messages in the log, by offset. */
const items = new Map();
let people = [];
let peopleCount = 0;
const typists = new Map();
let state = ["connecting"];
let unseen = 0;
let unseenInTitle = 0;
let isLoading = false;

// ── coming and going ───────────────────────────────────────────────────────────────────────────────────────────────

function enter() {
  $("door").hidden = true;
  $("chat").hidden = false;
  $("room").textContent = ROOM;
  for (const message of room.outbox) showPending(message);
  room.connect();
  $("text").focus();
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name) return;
  if (new TextEncoder().encode(name).length > 64) return showDoorError(word("refused").bad_name);
  localStorage.setItem("konvert.name", name);
  room.visitor.name = name;
  STORE.save(room.visitor);
  enter();
});

$("leave").addEventListener("click", () => {
  room.leave();
  location.reload();
});

function showRefusal(error) {
  // At the first entry the visitor can do something about it; later it is a fact to be told.
  if (items.size || room.user) return showNotice(null, refusal(error));
  room.leave();
  $("chat").hidden = true;
  $("door").hidden = false;
  showDoorError(refusal(error));
}

function showDoorError(text) {
  $("door-error").textContent = text;
  $("name").focus();
}

for (const button of document.querySelectorAll(".language")) {
  button.addEventListener("click", () => {
    switchLanguage();
    showWords();
  });
}

/** Puts a word in that follows the language. */
function say(element, key) {
  element.dataset.word = key;
  element.textContent = word(key);
}

function showWords() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("time")) showTime(element);
  for (const element of list.querySelectorAll("li")) showDay(element);
  for (const button of document.querySelectorAll(".language")) {
    button.textContent = language === "en" ? "RU" : "EN";
    button.title = word("language");
    button.lang = language === "en" ? "ru" : "en";
  }
  $("text").placeholder = word("placeholder");
  scroll.setAttribute("aria-label", ROOM);
  showState(...state);
  showPeople(people, peopleCount);
  showBeginning();
  showDown();
  showTypists();
}

// ── the connection ─────────────────────────────────────────────────────────────────────────────────────────────────

let countdown = 0;

function showState(name, until) {
  state = [name, until];
  clearInterval(countdown);
  const seconds = () => Math.max(1, Math.ceil((until - Date.now()) / 1_000));
  const text = () => (name === "waiting" ? word(name, seconds()) : word(name));
  if (name === "waiting") countdown = setInterval(() => ($("state").textContent = text()), 1_000);
  $("state").textContent = text();
  $("state-dot").dataset.state = $("chat").dataset.state = name;
  $("again").hidden = !["waiting", "offline", "stopped"].includes(name);
  if (name === "online") showBeginning(), fillScreen();
  else typists.clear(), showTypists();
}

$("again").addEventListener("click", () => room.connect());

// ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────

const itemOf = (id) => list.querySelector(`[data-message-id="${CSS.escape(id)}"]`);
const isAtEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
const toEnd = () => (scroll.scrollTop = scroll.scrollHeight);

function showMessages(messages) {
  const stay = isAtEnd() && !document.hidden;
  const follow = isAtEnd();
  for (const message of messages) {
    typists.delete(message.sender);
    if (applyRelation(message) || message.kind === "service") continue;
    itemOf(message.message_id)?.remove();
    list.insertBefore(itemFor(message), list.querySelector(".pending"));
    if (message.sender === room.user) continue;
    if (!stay) unseen += 1;
    if (document.hidden) unseenInTitle += 1;
  }
  regroup();
  showTypists();
  showBeginning();
  if (follow) {
    trimItems();
    toEnd();
  }
  showDown();
}

/** Edits, deletes, reactions and appended parts change their target and are not items of their own. */
function applyRelation({ relation, payload, sender, erased }) {
  if (!relation || relation.kind === "reply") return false;
  const target = items.get(relation.offset);
  if (!target || erased) return true;
  const text = target.querySelector(".text");
  if (relation.kind === "delete") showErased(target);
  if (relation.kind === "append") text.textContent += textOf(payload);
  if (relation.kind === "edit") {
    text.textContent = textOf(payload);
    say(target.querySelector(".note"), "edited");
  }
  if (relation.kind === "reaction") {
    const mark = target.querySelector(".reactions").appendChild(document.createElement("span"));
    mark.textContent = textOf(payload).slice(0, 8);
    mark.title = nameOf(sender);
  }
  return true;
}

const textOf = (payload) => (typeof payload === "object" ? word("data") : payload ?? "");

function itemFor({ offset, sender, sender_name, message_id, time_ms, payload, erased }) {
  const item = newItem(sender, sender_name || sender, message_id, time_ms, textOf(payload));
  item.dataset.offset = offset;
  items.set(offset, item);
  if (erased) showErased(item);
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
}

function showPending(message) {
  const item = newItem(room.user, room.visitor.name, message.id, message.time, message.text);
  item.classList.add("own", "pending");
  say(item.querySelector(".note"), "sending");
  list.append(item);
  if (message.failed) showFailure(message);
  regroup();
}

function showFailure(message) {
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
  });
}

function forgetMessages() {
  items.clear();
  for (const item of [...list.children]) if (!item.classList.contains("pending")) item.remove();
  showNotice("reset");
}

/** Heads and days depend on the neighbours. */
function regroup() {
  let previous = null;
  for (const item of list.children) {
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

function showNotice(key, text = word(key)) {
  const notice = $("notice");
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(showNotice.timer);
  showNotice.timer = setTimeout(() => (notice.hidden = true), 12_000);
}

function showBeginning() {
  const key = isLoading ? "older" : room.hasOlder ? "" : room.isTrimmed ? "trimmed" : items.size || room.outbox.length ? "beginning" : "empty";
  $("beginning").textContent = key && state[0] === "online" ? word(key) : "";
}

function trimItems() {
  const extra = items.size - ITEMS_MAX;
  if (extra <= 0) return;
  const offsets = [...items.keys()].slice(0, extra);
  for (const offset of offsets) {
    items.get(offset).remove();
    items.delete(offset);
  }
  room.forgetBefore(items.keys().next().value);
  regroup();
}

async function loadOlder() {
  if (isLoading || !room.hasOlder || state[0] !== "online") return;
  isLoading = true;
  showBeginning();
  const messages = await room.older();
  const below = scroll.scrollHeight - scroll.scrollTop;
  const held = [...items];
  items.clear();
  const made = messages.filter((message) => message.kind !== "service" && isItem(message)).map(itemFor);
  for (const [offset, item] of held) items.set(offset, item);
  list.prepend(...made);
  for (const message of messages) applyRelation(message);
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

const isItem = ({ relation }) => !relation || relation.kind === "reply";

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
new ResizeObserver(() => scroll.dataset.end === "true" && toEnd()).observe(scroll);
scroll.addEventListener("scroll", () => (scroll.dataset.end = isAtEnd()), { passive: true });

// ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────

const text = $("text");

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  text.value = "";
  fit();
  showPending(room.publish(said));
  showBeginning();
  toEnd();
});

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

text.addEventListener("input", () => {
  fit();
  if (text.value.trim()) room.typing();
});

function fit() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, innerHeight * 0.3)}px`;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("chat").hidden) return;
  showSheet(false);
  toEnd();
  text.focus();
});

// ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const nameOf = (user) => people.find((member) => member.user === user)?.name || user;

function showPeople(members = people, count = peopleCount) {
  [people, peopleCount] = [members, count];
  $("people-count").textContent = $("who-count").textContent = count;
  $("who").setAttribute("aria-label", `${word("here_now")}: ${count}`);
  const order = (member) => (member.user === room.user ? "" : member.name || member.user);
  const sorted = [...members].sort((a, b) => order(a).localeCompare(order(b), language)).slice(0, NAMES_MAX);
  $("members").replaceChildren(...sorted.map(memberItem));
  const more = count - sorted.length;
  if (more > 0) $("members").append(Object.assign(document.createElement("li"), { className: "quiet", textContent: word("and_more", more) }));
}

function memberItem({ user, name }) {
  const item = document.createElement("li");
  item.dataset.user = user;
  const face = item.appendChild(document.createElement("span"));
  face.className = "face";
  face.setAttribute("aria-hidden", "true");
  paint(face, user, name || user);
  item.appendChild(document.createElement("span")).textContent = name || user;
  if (user === room.user) item.appendChild(Object.assign(document.createElement("span"), { className: "quiet", textContent: word("you") }));
  return item;
}

/** A face: the first letter, on one of a few colours chosen by the user's id. */
function paint(face, user, name) {
  const sum = [...user].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
  face.dataset.colour = sum % 8;
  face.textContent = [...name.trim()][0]?.toUpperCase() ?? "?";
}

function showTyping(user) {
  clearTimeout(typists.get(user));
  typists.set(user, setTimeout(() => {
    typists.delete(user);
    showTypists();
  }, TYPING_SHOWN_MS));
  showTypists();
}

function showTypists() {
  $("typing").textContent = typists.size ? word("typing", [...typists.keys()].map(nameOf)) : "";
}

function showSheet(isShown) {
  $("chat").classList.toggle("sheet", isShown);
  $("who").setAttribute("aria-expanded", isShown);
}

$("who").addEventListener("click", () => showSheet(!$("chat").classList.contains("sheet")));
$("people").addEventListener("click", () => showSheet(false));

// ── now ────────────────────────────────────────────────────────────────────────────────────────────────────────────

scroll.dataset.end = true;
showWords();
$("name").value = localStorage.getItem("konvert.name") ?? "";
if (room.visitor.name) enter();
else {
  $("door").hidden = false;
  $("name").select();
}
