// Who is here and who is typing.

import { $, room } from "./visit.js";
import { language, word } from "./words.js";

const TYPING_SHOWN_MS = 4_000;
const NAMES_MAX = 200;

let people = [];
let peopleCount = 0;
/** Timers of those who are typing, by user. */
const typists = new Map();

export const nameOf = (user) => people.find((member) => member.user === user)?.name || user;

export function showPeople(members = people, count = peopleCount) {
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
export function paint(face, user, name) {
  const sum = [...user].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
  face.dataset.colour = sum % 8;
  face.textContent = [...name.trim()][0]?.toUpperCase() ?? "?";
}

export function showTyping(user) {
  clearTimeout(typists.get(user));
  typists.set(user, setTimeout(() => {
    typists.delete(user);
    showTypists();
  }, TYPING_SHOWN_MS));
  showTypists();
}

export function showTypists() {
  $("typing").textContent = typists.size ? word("typing", [...typists.keys()].map(nameOf)) : "";
}

/** They sent what they typed; without a user: nobody is typing any more. */
export function forgetTyping(user) {
  for (const typist of user ? [user] : [...typists.keys()]) {
    clearTimeout(typists.get(typist));
    typists.delete(typist);
  }
  showTypists();
}
