// What can be done to dialogs: made, changed, kept, joined, left; and who may do it.
//
// Knows no list of its own: answers go where the dialogs are. Invariant: who may do what follows the server's rules, so
// that nothing is offered that would be refused.
import type { Api } from "@konvert/sdk";
import type { Dialogs } from "./dialogs";
import type { People } from "./people";
import {
  type Dialog,
  type DialogKeeping,
  type DialogPatch,
  type Invite,
  type InviteTarget,
  type Page,
  type Role,
  segment,
} from "./resources";

/** From the least to the most. */
export const ROLES: readonly Role[] = ["reader", "member", "admin", "owner"];

/** What one may make of somebody: nothing of oneself, admins no admins, owners everything. */
export function rolesToGive(by: Role, now: Role): readonly Role[] {
  if (by === "owner") return ROLES;
  return by === "admin" && isBelowAdmin(now) ? ROLES.filter(isBelowAdmin) : [];
}

/** Whether one may put somebody out. */
export const mayRemove = (by: Role, now: Role) => rolesToGive(by, now).length > 0;
/** Whether one may change what everybody sees, add people, invite. */
export const isAdmin = (role: Role) => role === "admin" || role === "owner";
/** Whether an invite can still be used. */
export const isOpen = ({ expires_ms, uses, uses_max }: Invite, nowMs: number) =>
  (!expires_ms || expires_ms > nowMs) && (!uses_max || uses < uses_max);

/** As long as anybody could mean: the end of the year 9999, milliseconds since 1970. */
export const FOREVER_MS = 253_402_300_799_000;

const isBelowAdmin = (role: Role) => role === "reader" || role === "member";
const pathOf = (id: string) => `/api/dialogs/${segment(id)}`;

export class Groups {
  readonly #api: Api;
  readonly #dialogs: Dialogs;
  readonly #people: People;

  constructor(api: Api, dialogs: Dialogs, people: People) {
    this.#api = api;
    this.#dialogs = dialogs;
    this.#people = people;
  }

  async create(title: string, about: string, members: readonly string[]): Promise<Dialog> {
    return this.#dialogs.took(await this.#api.post<Dialog>("/api/dialogs", { kind: "group", title, about, members }));
  }

  /** Changes what everybody sees. */
  async change(id: string, patch: DialogPatch): Promise<void> {
    this.#dialogs.took(await this.#api.patch<Dialog>(pathOf(id), patch));
  }

  /** Changes how one keeps it for oneself. */
  async keep(id: string, keeping: DialogKeeping): Promise<void> {
    this.#dialogs.took(await this.#api.patch<Dialog>(`${pathOf(id)}/settings`, keeping));
  }

  /** Goes out of a group; a direct dialog is put away until something is said in it. */
  async leave(id: string): Promise<void> {
    await this.#api.post(`${pathOf(id)}/leave`);
    this.#dialogs.lost(id);
  }

  /** Ends it for everybody. */
  async end(id: string): Promise<void> {
    await this.#api.delete(pathOf(id));
    this.#dialogs.lost(id);
  }

  add(id: string, members: readonly string[]): Promise<void> {
    return this.#api.post(`${pathOf(id)}/members`, { members });
  }
  remove(id: string, user: string): Promise<void> {
    return this.#api.delete(`${pathOf(id)}/members/${segment(user)}`);
  }
  appoint(id: string, user: string, role: Role): Promise<void> {
    return this.#api.patch(`${pathOf(id)}/members/${segment(user)}`, { role });
  }

  async invites(id: string): Promise<readonly Invite[]> {
    return (await this.#api.get<Page<Invite>>(`${pathOf(id)}/invites`, { query: { limit: 100 } })).items;
  }
  invite(id: string, wanted: { readonly expires_ms: number; readonly uses_max: number }): Promise<Invite> {
    return this.#api.post(`${pathOf(id)}/invites`, wanted);
  }
  revoke(id: string, invite: string): Promise<void> {
    return this.#api.delete(`${pathOf(id)}/invites/${segment(invite)}`);
  }

  /** Where an invite leads. */
  target(secret: string): Promise<InviteTarget> {
    return this.#api.get(`/api/invites/${segment(secret)}`);
  }
  /** Goes in by an invite. */
  async accept(secret: string): Promise<Dialog> {
    return this.#dialogs.took(await this.#api.post<Dialog>(`/api/invites/${segment(secret)}/accept`));
  }

  /** Learns what those who speak in a group look like. */
  async meet(id: string): Promise<void> {
    try {
      const { items } = await this.#api.get<Page<{ user: Parameters<People["learn"]>[0][number] }>>(`${pathOf(id)}/members`, {
        query: { limit: 100 },
      });
      this.#people.learn(items.map(({ user }) => user));
    } catch {
      // Faces are letters then.
    }
  }
}
