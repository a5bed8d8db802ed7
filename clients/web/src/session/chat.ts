// The chat of whoever is signed in: made when somebody comes in, closed when they go.
//
// Gives the model what it needs of the page: where the server is, what lasts, whether there is a network. Invariant:
// `chat` belongs to `me`, and to nobody a moment longer.
import { IndexedDbStore } from "@konvert/sdk/indexeddb";
import { shareTabs } from "@konvert/sdk/tabs";
import { effect, signal } from "@preact/signals";
import { Chat } from "../model/chat";
import { became, ended, type Me, me, tokenOf } from "./session";

/** The chat, while somebody is signed in. */
export const chat = signal<Chat | null>(null);

effect(() => {
  const user = me.value;
  const now = chat.peek();
  if (now?.me.id === user?.id) return;
  void now?.close();
  chat.value = user && begin(user);
});

for (const event of ["online", "offline"]) {
  addEventListener(event, () => chat.peek()?.connection.device(navigator.onLine));
}

function begin(user: Me): Chat {
  const begun = new Chat(user, {
    url: location.origin,
    konvert: { getToken: tokenOf(user.id), store: new IndexedDbStore(), transport: shareTabs({ key: user.id }) },
    drafts: localStorage,
    became,
    ended: () => ended(user.id),
  });
  begun.connection.device(navigator.onLine);
  return begun;
}
