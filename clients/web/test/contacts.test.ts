import type { Api, ConnectionState, Konvert } from "@konvert/sdk";
import { beforeEach, expect, it } from "vitest";
import { actsFor, Contacts } from "../src/model/contacts";
import { People } from "../src/model/people";
import type { Contact, ContactState } from "../src/model/resources";

const contact = (id: string, state: ContactState, name = id): Contact => ({
  user: { id, name, about: "", online: false, last_seen_ms: 0 },
  state,
  since_ms: 0,
});

let listeners: Map<string, (value: never) => void>;
let asked: { method: string; path: string; answer(body: unknown): void }[];
let contacts: Contacts;

const turn = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};
const connected = () => listeners.get("state")?.({ name: "connected" } as ConnectionState as never);
const changed = (path: string, body: unknown) => listeners.get("changed")?.({ path, body } as never);
async function answer(body: unknown) {
  await turn();
  asked.shift()?.answer(body);
  await turn();
}
const names = (state: ContactState) => contacts.of(state).map(({ user }) => user.name);

beforeEach(() => {
  listeners = new Map();
  asked = [];
  const ask = (method: string) => (path: string) => new Promise((answer) => asked.push({ method, path, answer }));
  const api = { get: ask("GET"), post: ask("POST"), delete: ask("DELETE") } as unknown as Api;
  const konvert = { api, on: (name: string, listener: (value: never) => void) => listeners.set(name, listener) };
  contacts = new Contacts(konvert as unknown as Konvert, new People(api));
});

it("reads page by page, and orders by name", async () => {
  connected();
  await answer({ items: [contact("u1", "friend", "Vera")], next: "more" });
  await answer({ items: [contact("u2", "friend", "Anna"), contact("u3", "received")] });
  expect([names("friend"), contacts.waiting.value, contacts.state.value]).toEqual([["Anna", "Vera"], 1, "ready"]);
});

it("believes what was told while the list was being read", async () => {
  connected();
  changed("/api/contacts/u1", contact("u1", "friend"));
  changed("/api/contacts/u2", null);
  await answer({ items: [contact("u1", "sent"), contact("u2", "friend"), contact("u3", "friend")] });
  expect([names("friend"), names("sent")]).toEqual([["u1", "u3"], []]);
});

it("follows what is done here and elsewhere", async () => {
  connected();
  await answer({ items: [contact("u1", "received")] });
  const done = contacts.act("u1", "accept");
  expect(asked[0]).toMatchObject({ method: "POST", path: "/api/contacts/u1/accept" });
  await answer(contact("u1", "friend"));
  await done;
  expect([contacts.waiting.value, contacts.stateOf("u1")]).toEqual([0, "friend"]);
  const removed = contacts.act("u1", "remove");
  expect(asked[0]).toMatchObject({ method: "DELETE", path: "/api/contacts/u1" });
  await answer(undefined);
  await removed;
  expect(contacts.stateOf("u1")).toBeUndefined();
  changed("/api/contacts/u%2F9", contact("u/9", "received"));
  expect(contacts.waiting.value).toBe(1);
});

it("offers what can be done, and nothing else", () => {
  expect(actsFor(undefined)).toContain("request");
  expect(actsFor("blocked")).toEqual(["unblock"]);
  expect(actsFor("friend")).not.toContain("accept");
  expect(actsFor("received")).toEqual(["accept", "decline", "block"]);
});
