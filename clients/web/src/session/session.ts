// Who is here: signing up, in and out, entering as a guest, and hearing that another tab has done so.
//
// Owns the one sign-in of this browser. Invariant: `me` is what lies on the shelf, whichever tab has put it there.
import { ApiError, KonvertError, type TokenNeed } from "@konvert/sdk";
import { signal } from "@preact/signals";
import { succession } from "./succession";
import { type Me, SHELF_NAME, type SignedIn, Tokens } from "./tokens";

export type { Me } from "./tokens";

/** All tabs wait for a refresh; one without an answer is given up, and the next may present the same token soon after. */
const REFRESH_MS = 10_000;

const tokens = new Tokens(localStorage, renew, succession);

/** Who is signed in, or nobody. */
export const me = signal<Me | null>(tokens.held?.user ?? null);

/** Why one finds oneself at the door, when one did not ask for it. */
export const sentOut = signal(false);

addEventListener("storage", ({ key }) => {
  if (key === SHELF_NAME || key === null) look();
});

/** Takes in what another tab has put there. */
function look(): void {
  const user = tokens.held?.user ?? null;
  if (JSON.stringify(user) !== JSON.stringify(me.value)) me.value = user;
}

/** Signs an account in. @throws {ApiError} */
export const signIn = async (login: string, password: string) => enter(await post("sign-in", { login, password, agent: device() }));

/** Makes an account and signs it in. @throws {ApiError} */
export const signUp = async (name: string, login: string, password: string) =>
  enter(await post("sign-up", { name, login, password, agent: device() }));

/** Enters under a name alone. @throws {ApiError} */
export const enterAsGuest = async (name: string) => enter(await post("guest", { name }));

/** Leaves on this device; also when the server cannot be told. */
export async function signOut(): Promise<void> {
  const { held } = tokens;
  tokens.forget();
  me.value = null;
  // A guest has nothing to sign out of.
  if (held?.refresh) await post("sign-out", undefined, held.access).catch(() => {});
}

/** The server has ended the sign-in. */
export function ended(user: string): void {
  if (tokens.held?.user.id !== user) return look();
  tokens.forget();
  sentOut.value = true;
  me.value = null;
}

/** What the SDK asks for tokens. */
export const tokenOf = (user: string) => (need: TokenNeed) => tokens.give(user, need, Date.now());

/** One's profile has changed. */
export function became(user: Me): void {
  tokens.rename(user);
  look();
}

export const isGuest = (user: Me) => user.origin === "guest";

function enter(answer: SignedIn): void {
  sentOut.value = false;
  me.value = tokens.keep(answer).user;
}

async function renew(refresh_token: string): Promise<SignedIn | null> {
  try {
    return await post<SignedIn>("refresh", { refresh_token }, undefined, AbortSignal.timeout(REFRESH_MS));
  } catch (error) {
    // The server's word against this sign-in, not that of a proxy; anything else may be better the next time.
    if (error instanceof ApiError && !error.temporary && "code" in error.problem) return null;
    throw error;
  }
}

async function post<Answer>(what: string, body?: unknown, token?: string, signal: AbortSignal | null = null): Promise<Answer> {
  const headers = { ...(body ? { "content-type": "application/json" } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const sent = body ? { body: JSON.stringify(body) } : {};
  const response = await fetch(`/api/auth/${what}`, { method: "POST", headers, signal, ...sent }).catch((error) => {
    throw new KonvertError({ code: 1009, name: "http", message: String(error), temporary: true });
  });
  if (response.status === 204) return undefined as Answer;
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer) return answer as Answer;
  const waitMs = (Number(response.headers.get("retry-after")) || 0) * 1_000;
  throw new ApiError(response.status, (answer ?? {}) as Record<string, unknown>, waitMs);
}

/** "Firefox on Linux": what a person needs to know a device by. */
function device(): string {
  const { userAgent } = navigator;
  const find = (names: readonly [RegExp, string][]) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = find([
    [/Edg\//, "Edge"],
    [/OPR\//, "Opera"],
    [/YaBrowser\//, "Yandex Browser"],
    [/Firefox\//, "Firefox"],
    [/Chrome\//, "Chrome"],
    [/Safari\//, "Safari"],
  ]);
  const system = find([
    [/Android/, "Android"],
    [/iPhone|iPad/, "iOS"],
    [/Windows/, "Windows"],
    [/Mac OS/, "macOS"],
    [/Linux/, "Linux"],
  ]);
  return [browser ?? "Browser", system].filter(Boolean).join(" · ");
}
