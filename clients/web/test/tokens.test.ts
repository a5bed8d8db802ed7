import "fake-indexeddb/auto";
import { beforeEach, expect, it } from "vitest";
import { type Succession, succession } from "../src/session/succession";
import { type Me, type SignedIn, Tokens } from "../src/session/tokens";

const user = { id: "acc-a", name: "Anna", origin: "account" } as Me;
const NOW = 1_000_000;

function shelf() {
  const held = new Map<string, string>();
  return {
    getItem: (name: string) => held.get(name) ?? null,
    setItem: (name: string, value: string) => void held.set(name, value),
    removeItem: (name: string) => void held.delete(name),
  };
}

let place: ReturnType<typeof shelf>;
/** Refresh tokens in the order they were presented. */
let presented: string[];
let answer: (refresh: string) => Promise<SignedIn | null>;

const fresh = (n: number, expires_ms = NOW + 900_000): SignedIn => ({
  user,
  access_token: `access ${n}`,
  refresh_token: `refresh ${n}`,
  expires_ms,
});
const tab = (shelf = place, known: Succession = succession) =>
  new Tokens(
    shelf,
    (refresh) => {
      presented.push(refresh);
      return answer(refresh);
    },
    known,
  );
const connect = { reason: "connect", token: "" } as const;

beforeEach(async () => {
  await succession.forget();
  place = shelf();
  presented = [];
  answer = async () => fresh(presented.length + 1);
});

it("gives what it holds, as long as that holds", async () => {
  const tokens = tab();
  tokens.keep(fresh(1));
  expect(await tokens.give("acc-a", connect, NOW)).toBe("access 1");
  expect(presented).toEqual([]);
  expect(await tokens.give("acc-a", connect, NOW + 880_000)).toBe("access 2");
  expect(presented).toEqual(["refresh 1"]);
});

it("takes what another tab has got instead of asking again", async () => {
  const [one, other] = [tab(), tab()];
  one.keep(fresh(1));
  const refused = { reason: "refused", token: "access 1" } as const;
  expect(await one.give("acc-a", refused, NOW)).toBe("access 2");
  expect(await other.give("acc-a", refused, NOW)).toBe("access 2");
  expect(presented).toEqual(["refresh 1"]);
});

it("asks once when both tabs need a token at the same moment, or one asks twice", async () => {
  const [one, other] = [tab(), tab()];
  one.keep(fresh(1));
  const expiring = { reason: "expiring", token: "access 1" } as const;
  const given = await Promise.all([one, other, one].map((tokens) => tokens.give("acc-a", expiring, NOW)));
  expect(given).toEqual(["access 2", "access 2", "access 2"]);
  expect(presented).toEqual(["refresh 1"]);
});

it("presents no token twice where the shelf of another tab tells of it late", async () => {
  const late = shelf();
  const [one, other] = [tab(), tab(late)];
  one.keep(fresh(1, NOW));
  other.keep(fresh(1, NOW));
  expect(await one.give("acc-a", connect, NOW)).toBe("access 2");
  expect(await other.give("acc-a", connect, NOW)).toBe("access 2");
  expect(presented).toEqual(["refresh 1"]);
  // Two steps behind nothing is known any more, and the server is asked.
  const behind = tab(shelf());
  behind.keep(fresh(0, NOW));
  await behind.give("acc-a", connect, NOW);
  expect(presented).toEqual(["refresh 1", "refresh 0"]);
});

it("does without a memory of what became of a token", async () => {
  const nothing: Succession = { after: async () => null, note: async () => {}, forget: async () => {} };
  const tokens = tab(place, nothing);
  tokens.keep(fresh(1, NOW));
  expect(await tokens.give("acc-a", connect, NOW)).toBe("access 2");
});

it("leaves no token behind", async () => {
  const tokens = tab();
  tokens.keep(fresh(1, NOW));
  await tokens.give("acc-a", connect, NOW);
  expect(await succession.after("refresh 1")).toMatchObject({ refresh: "refresh 2" });
  tokens.forget();
  expect(await succession.after("refresh 1")).toBe(null);
});

it("leaves no token behind when another tab signs out meanwhile", async () => {
  const other = tab();
  const slow: Succession = {
    ...succession,
    async note(refresh, next) {
      other.forget();
      await succession.forget();
      await succession.note(refresh, next);
    },
  };
  const tokens = tab(place, slow);
  tokens.keep(fresh(1, NOW));
  await tokens.give("acc-a", connect, NOW);
  expect(tokens.held).toBe(null);
  expect(await succession.after("refresh 1")).toBe(null);
});

it("ends with the server's word, and not without it", async () => {
  const tokens = tab();
  tokens.keep(fresh(1, NOW));
  answer = () => Promise.reject(new Error("no network"));
  await expect(tokens.give("acc-a", connect, NOW)).rejects.toThrow("no network");
  expect(tokens.held?.refresh).toBe("refresh 1");
  answer = async () => null;
  expect(await tokens.give("acc-a", connect, NOW)).toBe(null);
});

it("gives a guest's token until it is refused", async () => {
  const tokens = tab();
  const { refresh_token: _none, ...guest } = fresh(1, NOW - 1);
  tokens.keep(guest);
  expect(await tokens.give("acc-a", connect, NOW)).toBe("access 1");
  expect(await tokens.give("acc-a", { reason: "expiring", token: "access 1" }, NOW)).toBe("access 1");
  expect(await tokens.give("acc-a", { reason: "refused", token: "access 1" }, NOW)).toBe(null);
});

it("gives nobody's token to somebody else, and does not sign in again who has signed out", async () => {
  const tokens = tab();
  tokens.keep(fresh(1, NOW));
  expect(await tokens.give("acc-b", connect, NOW)).toBe(null);
  answer = async () => {
    tokens.forget();
    return fresh(2);
  };
  expect(await tokens.give("acc-a", connect, NOW)).toBe(null);
  expect(tokens.held).toBe(null);
});

it.each(["", "{", "null", '{"access":1}', "[]"])("survives %j on the shelf", (text) => {
  place.setItem("konvert.session", text);
  expect(tab().held).toBe(null);
});
