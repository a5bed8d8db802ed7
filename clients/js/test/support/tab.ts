// What runs in a tab of the browser tests: the SDK as a page has it, and what it was told, for the test to look at.
//
// The address tells what to be: server, token, room; `memory` keeps the outbox in memory, `alone` shares no connection,
// `forgetful` begins from now on after every loss, as an application without the SDK's resume would.
import { Konvert } from "@konvert/sdk";
import { IndexedDbStore } from "@konvert/sdk/indexeddb";
import { shareTabs } from "@konvert/sdk/tabs";

const asked = new URLSearchParams(location.search);
const ask = (name: string) => asked.get(name) ?? "";

const konvert = new Konvert(ask("server"), {
  token: ask("token"),
  // What is tested here does not depend on the way, and a session over HTTP outlives its tab for a while.
  transports: ["websocket"],
  ...(asked.has("memory") ? {} : { store: new IndexedDbStore() }),
  ...(asked.has("alone") ? {} : { transport: shareTabs({ key: "anna" }) }),
});
const room = konvert.room(ask("room"));
const tab = {
  konvert,
  room,
  heard: [] as { offset: number; text: string }[],
  resets: [] as unknown[],
  /** Names of states, with the reason of a pause. */
  states: [] as string[],
};
export type Tab = typeof tab;

room.on("message", ({ offset, text }) => tab.heard.push({ offset, text }));
room.on("reset", (reset) => tab.resets.push(reset));
konvert.on("state", (state) => {
  tab.states.push(state.name === "waiting" ? state.reason.name : state.name);
  if (!asked.has("forgetful") || state.name !== "waiting") return;
  room.unsubscribe();
  void room.subscribe();
});
void room.subscribe();
Object.assign(globalThis, { tab });
