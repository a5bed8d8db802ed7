// The chat of whoever is signed in: made when somebody comes in, closed when they go.
//
// Gives the model what it needs of the page: where the server is, what lasts, whether there is a network. Invariant:
// `chat` belongs to `me`, and to nobody a moment longer.
import { IndexedDbStore } from "@konvert/sdk/indexeddb";
import { shareTabs } from "@konvert/sdk/tabs";
import { effect, signal } from "@preact/signals";
import { Shelf } from "../cache/shelf";
import { Chat } from "../model/chat";
import { Memory } from "../model/memory";
import { tell } from "../notices/notices";
import { became, ended, type Me, me, tokenOf } from "./session";

/** The chat, while somebody is signed in. */
export const chat = signal<Chat | null>(null);

/** Ends what goes on for the user who was here. */
let end = (): void => {};

effect(() => {
  const user = me.value;
  const now = chat.peek();
  if (now?.me.id === user?.id) return;
  end();
  chat.value = user && begin(user);
});

for (const event of ["online", "offline"]) {
  addEventListener(event, () => chat.peek()?.connection.device(navigator.onLine));
}

function begin(user: Me): Chat {
  const shelf = new Shelf(user.id);
  const begun = new Chat(user, {
    url: location.origin,
    konvert: {
      user: user.id,
      getToken: tokenOf(user.id),
      store: new IndexedDbStore({ name: `konvert ${user.id}` }),
      transport: shareTabs({ key: user.id }),
    },
    drafts: localStorage,
    memory: new Memory(shelf),
    pictures: shelf.pictures,
    became,
    ended: () => ended(user.id),
  });
  begun.connection.device(navigator.onLine);
  const silence = tell(begun);
  end = () => {
    silence();
    // Whoever goes leaves nothing to read behind; what is not sent yet waits for them.
    void begun.close().then(() => shelf.forget());
    end = () => {};
  };
  return begun;
}
