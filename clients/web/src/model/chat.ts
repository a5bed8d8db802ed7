// Everything of the user who is signed in: one connection, the dialogs, the people, the conversations that are open.
//
// The root of the model, made at the sign-in and closed at its end. Knows no DOM. Invariant: one per user and tab;
// nothing of it outlives the sign-in but what lies in its stores.
import { Konvert, type KonvertOptions } from "@konvert/sdk";
import type { ReadonlySignal } from "@preact/signals";
import type { Me } from "../session/tokens";
import { Connection } from "./connection";
import { Contacts } from "./contacts";
import { Conversation } from "./conversation";
import { Dialogs } from "./dialogs";
import { type DraftShelf, Drafts } from "./drafts";
import { Groups } from "./groups";
import { Lobby } from "./lobby";
import type { Memory } from "./memory";
import { People } from "./people";
import { type PictureShelf, Pictures } from "./pictures";
import { Remembering } from "./remembering";

/** Conversations that stay live behind the one that is looked at, so that going back is at once. */
const OPEN_MAX = 6;

/** What a chat is made of besides its user. */
export interface ChatParts {
  readonly url: string;
  readonly konvert: KonvertOptions;
  readonly drafts: DraftShelf;
  /** What an earlier visit knew. */
  readonly memory?: Memory;
  readonly pictures?: PictureShelf;
  /** The profile changed, here or on another device. */
  became(me: Me): void;
  /** The sign-in has ended, whoever ended it. */
  ended(): void;
}

export class Chat {
  readonly me: Me;
  readonly konvert: Konvert;
  readonly connection: Connection;
  readonly people: People;
  readonly dialogs: Dialogs;
  readonly contacts: Contacts;
  readonly groups: Groups;
  readonly lobby: Lobby;
  readonly pictures: Pictures;
  readonly drafts: Drafts;
  readonly #remembering: Remembering | undefined;
  /** Least recently looked at first. */
  readonly #conversations = new Map<string, Conversation>();

  constructor(me: Me, { url, konvert, drafts, memory, pictures, became, ended }: ChatParts) {
    this.me = me;
    this.konvert = new Konvert(url, { ...konvert, changes: true, agent: "konvert-web" });
    this.connection = new Connection(this.konvert);
    this.people = new People(this.konvert.api);
    this.dialogs = new Dialogs(this.konvert, this.people);
    this.contacts = new Contacts(this.konvert, this.people);
    this.groups = new Groups(this.konvert.api, this.dialogs, this.people);
    this.lobby = new Lobby(this.konvert);
    this.pictures = new Pictures(this.konvert.api, pictures);
    this.drafts = new Drafts(me.id, drafts);
    this.konvert.on("state", (state) => {
      if (state.name === "closed" && ENDINGS.has(state.reason.name)) ended();
    });
    this.konvert.on("changed", ({ path, body }) => {
      if (path === "/api/auth/me" && body) became(body as Me);
    });
    this.#remembering = memory && new Remembering(memory, this.dialogs, this.contacts, this.lobby.isOpen);
  }

  /** What is shown is what an earlier visit knew: the server has told nothing yet. */
  get isRecalled(): ReadonlySignal<boolean> {
    return this.dialogs.isRecalled;
  }

  /** The conversation in a room, open from now on. */
  conversation(room: string, isDialog: boolean): Conversation {
    const held = this.#conversations.get(room);
    const conversation = held ?? new Conversation(room, this.konvert, this.people, isDialog);
    this.#conversations.delete(room);
    this.#conversations.set(room, conversation);
    if (!held) {
      conversation.open();
      this.#remembering?.follow(conversation);
      if (isDialog && this.dialogs.get(room)?.kind !== "direct") void this.groups.meet(room);
    }
    for (const [name, old] of this.#conversations) {
      if (this.#conversations.size <= OPEN_MAX) break;
      this.#conversations.delete(name);
      this.#end(old);
    }
    return conversation;
  }

  /** Closes a conversation that cannot go on, so that the next look begins anew. */
  forget(room: string): void {
    const held = this.#conversations.get(room);
    this.#conversations.delete(room);
    if (held) this.#end(held);
  }

  #end(conversation: Conversation): void {
    this.#remembering?.unfollow(conversation);
    conversation.close();
  }

  async close(): Promise<void> {
    this.lobby.close();
    for (const conversation of this.#conversations.values()) this.#end(conversation);
    this.#conversations.clear();
    this.#remembering?.close();
    await this.konvert.close();
  }
}

/** Ends of a connection that are ends of a sign-in. */
const ENDINGS: ReadonlySet<string> = new Set(["signed_out", "token_refused", "revoked", "not_authenticated"]);
