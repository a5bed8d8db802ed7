// What a test asks of the server behind the app's back: accounts, dialogs, the history as the server keeps it.
//
// Straight to the server, never through a person's network, and with a sign-in of its own: a refresh here cannot end
// the sign-in of the page. Invariant: an answer that is no success is an exception.
import type { Server } from "./server.ts";

/** A message of a dialog as the server keeps it; fields at their default are absent. */
export interface Stored {
  readonly offset: number;
  readonly message_id: string;
  readonly sender: string;
  readonly text?: string;
  readonly kind?: "message" | "service";
  readonly erased?: boolean;
  readonly relation?: { readonly kind: string; readonly offset: number };
}

export interface History {
  readonly first_offset: number;
  readonly last_offset: number;
  readonly messages: readonly Stored[];
  readonly more?: boolean;
}

export interface Dialog {
  readonly id: string;
  readonly unread: number;
  readonly read_offset: number;
}

interface SignedIn {
  readonly access_token: string;
  readonly expires_ms: number;
  readonly user: { readonly id: string };
}

const PASSWORD = "violet-anchor-47-harvest";

/** Settings of a server that takes more from one person than people can say. */
export const CROWDED = { KONVERT_SERVICE__REQUESTS_PER_SECOND: "10000", KONVERT_SERVICE__REQUESTS_BURST: "10000" };
const AT_ONCE = 50;

/** One account. */
export class Account {
  readonly #server: Server;
  readonly login: string;
  readonly name: string;
  readonly password = PASSWORD;
  readonly id: string;
  token: string;

  private constructor(server: Server, login: string, name: string, signedIn: SignedIn) {
    this.#server = server;
    this.login = login;
    this.name = name;
    this.id = signedIn.user.id;
    this.token = signedIn.access_token;
  }

  static async signUp(server: Server, login: string, name: string): Promise<Account> {
    const body = { login, name, password: PASSWORD };
    return new Account(server, login, name, await ask(server, "POST", "/api/auth/sign-up", "", body));
  }

  /** A new sign-in of its own, when the token has ended. */
  async signInAgain(): Promise<void> {
    const body = { login: this.login, password: PASSWORD };
    this.token = (await ask<SignedIn>(this.#server, "POST", "/api/auth/sign-in", "", body)).access_token;
  }

  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return ask<T>(this.#server, method, path, this.token, body);
  }

  /** The dialog with somebody; there is one per pair. */
  async dialogWith(other: Account): Promise<string> {
    return (await this.ask<Dialog>("POST", "/api/dialogs", { kind: "direct", members: [other.id] })).id;
  }

  async group(title: string, others: readonly Account[]): Promise<string> {
    const members = others.map(({ id }) => id);
    return (await this.ask<Dialog>("POST", "/api/dialogs", { kind: "group", title, members })).id;
  }

  dialog(id: string): Promise<Dialog> {
    return this.ask("GET", `/api/dialogs/${encodeURIComponent(id)}`);
  }

  async say(dialog: string, text: string, more: object = {}): Promise<number> {
    const path = `/api/dialogs/${encodeURIComponent(dialog)}/messages`;
    return (await this.ask<{ position: { offset: number } }>("POST", path, { text, ...more })).position.offset;
  }

  /** Says many things, in no order. The server must let that many through: see `CROWDED`. */
  async sayAll(dialog: string, texts: readonly string[]): Promise<void> {
    for (let i = 0; i < texts.length; i += AT_ONCE) {
      await Promise.all(texts.slice(i, i + AT_ONCE).map((text) => this.say(dialog, text)));
    }
  }

  /** Everything that was ever said in a dialog, in order. */
  async history(dialog: string): Promise<Stored[]> {
    const all: Stored[] = [];
    for (;;) {
      const from = (all.at(-1)?.offset ?? 0) + 1;
      const path = `/api/dialogs/${encodeURIComponent(dialog)}/messages?direction=forward&limit=200&from=${from}`;
      const { messages, more } = await this.ask<History>("GET", path);
      all.push(...messages);
      if (!more || !messages.length) return all;
    }
  }
}

async function ask<T>(server: Server, method: string, path: string, token: string, body?: unknown): Promise<T> {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (answer.status === 429) {
    // As every good client: when told, and the same again.
    const { retry_after_ms } = JSON.parse(text) as { retry_after_ms: number };
    await new Promise((resolve) => setTimeout(resolve, retry_after_ms));
    return ask(server, method, path, token, body);
  }
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}
