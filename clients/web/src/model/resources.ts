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

/** Somebody's belonging to a dialog. */
export interface Member {
  readonly user: Person;
  readonly role: Role;
  readonly joined_ms: number;
}

/** What may be said of a dialog to everybody in it; what is absent stays. */
export interface DialogPatch {
  readonly title?: string;
  readonly about?: string;
  /** A stored picture; empty: none. */
  readonly avatar?: string;
}

/** How one keeps a dialog for oneself; what is absent stays. */
export interface DialogKeeping {
  readonly archived?: boolean;
  readonly pinned?: boolean;
  readonly muted_until_ms?: number;
}

export interface Invite {
  readonly id: string;
  readonly role: Role;
  readonly created_by: string;
  readonly created_ms: number;
  /** Zero: never. */
  readonly expires_ms: number;
  readonly uses: number;
  /** Zero: as many as want. */
  readonly uses_max: number;
  /** Told once, when it is made. */
  readonly secret?: string | null;
}

/** Where an invite leads. */
export interface InviteTarget {
  readonly kind: Dialog["kind"];
  readonly mode: Dialog["mode"];
  readonly title: string;
  readonly about: string;
  readonly avatar?: string | null;
  readonly member_count: number;
  /** One is in it already. */
  readonly member: boolean;
  readonly role: Role;
}

export type ContactState = "sent" | "received" | "friend" | "blocked";

export interface Contact {
  readonly user: Person;
  readonly state: ContactState;
  readonly since_ms: number;
}

/** A place where one is signed in. */
export interface SignInPlace {
  readonly id: string;
  readonly agent: string;
  readonly address: string;
  readonly created_ms: number;
  readonly used_ms: number;
  readonly is_current: boolean;
}

export interface UserLimit {
  readonly kind: "messages" | "assistant_calls" | "storage_bytes" | "uploads" | "dialogs";
  /** `null`: no limit. */
  readonly max: number | null;
  readonly used: number;
  readonly remaining: number | null;
  readonly reset_ms: number | null;
}
