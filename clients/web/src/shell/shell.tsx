// The two panes: conversations on the left, one of them on the right; one column on a phone.
//
// Owns which pane is seen where there is room for one only, and the keys that work everywhere. Invariant: the list stays
// in the page, so that it keeps its place while a conversation covers it.
import { useEffect, useRef } from "preact/hooks";
import { Conversation } from "../conversation/conversation";
import { opened } from "../groups/menu";
import { List } from "../list/list";
import { go, type Route, route } from "../router";
import { words } from "../words";
import { Banner } from "./banner";
import { Empty } from "./empty";
import { lazy } from "./lazy";
import { Remark } from "./remark";
import "./shell.css";

const Contacts = lazy(() => import("../contacts/contacts").then(({ Contacts }) => Contacts));
const Invited = lazy(() => import("../groups/invited").then(({ Invited }) => Invited));
const Panel = lazy(() => import("../groups/panel").then(({ Panel }) => Panel), null);
const Settings = lazy(() => import("../settings/settings").then(({ Settings }) => Settings));

export function Shell() {
  const at = route.value;
  const before = useRef(at);
  useEffect(() => {
    const was = before.current;
    before.current = at;
    // What had the focus is gone with the pane: it goes to where one came from.
    if (at.at !== "list" || was.at === "list" || document.activeElement !== document.body) return;
    const name = was.at === "conversation" ? was.name : "";
    const row = document.querySelector<HTMLElement>(`li[data-dialog="${CSS.escape(name)}"] > a`);
    (row ?? document.querySelector<HTMLElement>(".row > [tabindex='0']"))?.focus();
  }, [at]);
  useEffect(() => {
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  return (
    <div class="shell" data-pane={at.at === "list" ? "list" : "main"}>
      <Banner />
      <nav class="pane-list" aria-label={words().list.title}>
        <List />
      </nav>
      <main class="pane-main">
        <Main at={at} />
      </main>
      {opened.value && <Panel key={opened.value} id={opened.value} close={() => (opened.value = null)} />}
      <Remark />
    </div>
  );
}

function Main({ at }: { readonly at: Route }) {
  const { conversation } = words();
  if (at.at === "conversation") return <Conversation key={at.name} name={at.name} isDialog={at.isDialog} />;
  if (at.at === "settings") return <Settings />;
  if (at.at === "contacts") return <Contacts />;
  if (at.at === "invite") return <Invited key={at.secret} secret={at.secret} />;
  return <Empty title={conversation.none}>{conversation.noneHint}</Empty>;
}

/** Ctrl/Cmd+K searches; Esc closes what is open, unless somebody nearer has used it. */
function keys(event: KeyboardEvent): void {
  // What lies over the page has the keys to itself.
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.querySelector<HTMLInputElement>("input[name=search]")?.focus();
  } else if (event.key === "Escape" && route.peek().at !== "list") go("/");
}
