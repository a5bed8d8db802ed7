// What the server's REST API answers, as far as this app reads it. Types only; /api/openapi.json has all of it.

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next?: string | null;
}

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly about: string;
  readonly avatar?: string | null;
  readonly online: boolean;
  /** Zero: never, or not told. */
  readonly last_seen_ms: number;
}

export type Role = "reader" | "member" | "admin" | "owner";

/** A message as lists of dialogs show it: edits are applied. */
export interface LastMessage {
  readonly offset: number;
  readonly sender: string;
  readonly sender_name: string;
  readonly time_ms: number;
  readonly text?: string | null;
  readonly payload?: string | null;
  readonly erased: boolean;
  readonly kind: "message" | "service";
  readonly blobs?: readonly string[];
}

/** A dialog as one of its members sees it. */
export interface Dialog {
  readonly id: string;
  readonly kind: "direct" | "group" | "service";
  readonly mode: "server_readable" | "e2ee";
  readonly title: string;
  readonly about: string;
  readonly avatar?: string | null;
  readonly created_ms: number;
  readonly role: Role;
  readonly member_count: number;
  /** The other one of a direct dialog. */
  readonly user?: Person | null;
  readonly position: { readonly epoch: number; readonly offset: number };
  readonly first_offset: number;
  readonly activity_ms: number;
  readonly read_offset: number;
  readonly unread: number;
  readonly mentions: number;
  readonly muted_until_ms: number;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly last_message?: LastMessage | null;
}

/** Somebody's read marker. */
export interface Receipt {
  readonly user: string;
  readonly offset: number;
}

/** A name as one segment of a path. */
export const segment = encodeURIComponent;
