// The page: the door, the state of the connection, and where one writes. The protocol is konvert.js's matter.

import {
  forgetMessages, forgetPending, gather, hasMessages, retellMessages, showBeginning, showFailure, showNotice, showPending,
  toEnd,
} from "./messages.js";
import { forgetTyping, showPeople, showTypists, showTyping } from "./people.js";
import { $, room } from "./visit.js";
import { language, refusal, switchLanguage, word } from "./words.js";

let state = ["connecting"];

room.on = {
  state: showState, identity: () => showPeople(), messages: gather, stored: forgetPending, failed: showFailure,
  people: showPeople, typing: showTyping, reset: forgetMessages, notice: (key) => showNotice(key), refused: showRefusal,
};

// ── coming and going ─────────────────────────────────────────────────────────────────────────────────────────────────

function enter() {
  $("door").hidden = true;
  $("chat").hidden = false;
  $("room").textContent = room.name;
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
  room.enterAs(name);
  enter();
});

$("leave").addEventListener("click", () => {
  room.leave();
  location.reload();
});

function showRefusal(error) {
  // At the first entry the visitor can do something about it; later it is a fact to be told.
  if (hasMessages() || room.user) return showNotice(null, refusal(error));
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

function showWords() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const button of document.querySelectorAll(".language")) {
    button.textContent = language === "en" ? "RU" : "EN";
    button.title = word("language");
    button.lang = language === "en" ? "ru" : "en";
  }
  $("text").placeholder = word("placeholder");
  showState(...state);
  showPeople();
  showTypists();
  retellMessages();
}

// ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────────

let countdown = 0;

function showState(name, until) {
  state = [name, until];
  clearInterval(countdown);
  // Apart from the state, because what is read aloud should not be read again each second.
  const count = () => ($("countdown").textContent = word("retry_in", Math.max(1, Math.ceil((until - Date.now()) / 1_000))));
  $("countdown").textContent = "";
  if (name === "waiting") countdown = setInterval(count, 1_000), count();
  $("state").textContent = word(name);
  $("state-dot").dataset.state = $("chat").dataset.state = name;
  $("again").hidden = !["waiting", "offline", "stopped"].includes(name);
  if (name === "online") showBeginning();
  else forgetTyping();
}

$("again").addEventListener("click", () => room.connect());

// ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

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

function showSheet(isShown) {
  $("chat").classList.toggle("sheet", isShown);
  $("who").setAttribute("aria-expanded", isShown);
}

$("who").addEventListener("click", () => showSheet(!$("chat").classList.contains("sheet")));
$("people").addEventListener("click", () => showSheet(false));

// ── now ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

showWords();
$("name").value = localStorage.getItem("konvert.name") ?? "";
if (room.visitor.name) enter();
else {
  $("door").hidden = false;
  $("name").select();
}
