// People one knows: those who ask, friends, those one has asked, those one wants nothing of; and finding others.
//
// Loaded when somebody goes there. Invariant: what is shown follows what the server tells; nothing is assumed done.
import { useSignal } from "@preact/signals";
import { sayFinding, usePeople } from "../list/search";
import { Icon } from "../look/icons";
import type { ContactState } from "../model/resources";
import { Empty } from "../shell/empty";
import { useChat } from "../shell/here";
import { words } from "../words";
import "../shell/act.css";
import "./contacts.css";
import { PersonRow } from "./person";

const SECTIONS: readonly (readonly [ContactState, "received" | "friends" | "sent" | "blocked"])[] = [
  ["received", "received"],
  ["friend", "friends"],
  ["sent", "sent"],
  ["blocked", "blocked"],
];

export function Contacts() {
  const chat = useChat();
  const { contacts: say, back, retry } = words();
  const query = useSignal("");
  const finding = usePeople(query.value);
  const wanted = query.value.trim();
  const state = chat.contacts.state.value;
  const isEmpty = !wanted && state === "ready" && !chat.contacts.all.value.length;
  return (
    <section class="contacts" aria-labelledby="contacts-title">
      <header class="bar">
        <a class="quiet-button back" href="/" aria-label={back} title={back}>
          <Icon name="back" />
        </a>
        <h1 id="contacts-title">{say.title}</h1>
      </header>
      <div class="contacts-body">
        <div class="column">
          <input
            class="text-field"
            type="search"
            name="people"
            placeholder={say.find}
            aria-label={say.find}
            value={query.value}
            onInput={(event) => (query.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape" || !query.value) return;
              event.preventDefault();
              query.value = "";
            }}
          />
          {wanted && (
            <section aria-busy={finding.state === "looking"}>
              <h2>{say.found}</h2>
              <ul class="people-list">
                {finding.people.map((person) => (
                  <PersonRow key={person.id} person={person} />
                ))}
              </ul>
              <p class="quiet nobody" role="status">
                {sayFinding(finding)}
              </p>
            </section>
          )}
          {!wanted &&
            SECTIONS.map(([of, name]) => {
              const list = chat.contacts.of(of);
              if (!list.length) return null;
              return (
                <section key={of} data-contacts={of}>
                  <h2>
                    {say[name]} <span class="quiet">{list.length}</span>
                  </h2>
                  <ul class="people-list">
                    {list.map(({ user }) => (
                      <PersonRow key={user.id} person={user} />
                    ))}
                  </ul>
                </section>
              );
            })}
          {state === "failed" && <Empty title={say.failed} action={{ label: retry, do: () => void chat.contacts.load() }} />}
        </div>
        {isEmpty && <Empty title={say.none}>{say.noneHint}</Empty>}
      </div>
    </section>
  );
}
