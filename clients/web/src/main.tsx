// Begins: draws the app into the page, and tells the page what is outside of what is drawn.
//
// Owns `#app` and its attributes. Invariant: the theme is set before anything is drawn.
import { effect } from "@preact/signals";
import { render } from "preact";
import "./look/tokens.css";
import "./look/base.css";
import "./look/theme";
import { App } from "./app";
import { chat } from "./session/chat";
import "./shell/install";
import { register } from "./shell/worker";
import { words } from "./words";

const root = document.getElementById("app") as HTMLElement;

effect(() => {
  const state = chat.value?.connection.state.value;
  set("connection", state?.name ?? "closed");
  set("transport", state?.name === "connected" ? state.transport : "");
});

effect(() => {
  const unread = chat.value?.dialogs.unread.value ?? 0;
  // The number on the icon, where the app has one.
  void (unread ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.())?.catch(() => {});
  document.title = unread ? `(${unread}) ${words().app}` : words().app;
});

render(<App />, root);
void register();

function set(name: string, value: string): void {
  if (value) root.dataset[name] = value;
  else delete root.dataset[name];
}
