import type { Api, Konvert } from "@konvert/sdk";
import { expect, it } from "vitest";
import { isOpen, mayRemove, ROLES, rolesToGive } from "../src/model/groups";
import { Members } from "../src/model/members";
import { People } from "../src/model/people";
import type { Invite, Member, Role } from "../src/model/resources";

it("lets admins make readers and members of each other, owners everything of everybody, others nothing", () => {
  const table = ROLES.map((by) => ROLES.map((now) => rolesToGive(by, now).length));
  expect(table).toEqual([
    [0, 0, 0, 0],
    [0, 0, 0, 0],
    [2, 2, 0, 0],
    [4, 4, 4, 4],
  ]);
  expect([mayRemove("admin", "member"), mayRemove("admin", "admin"), mayRemove("member", "reader")]).toEqual([true, false, false]);
});

it("knows which invites still open something", () => {
  const invite = (more: Partial<Invite>): Invite => ({
    ...{ id: "i", role: "member", created_by: "a", created_ms: 0, expires_ms: 0, uses: 0, uses_max: 0 },
    ...more,
  });
  expect(isOpen(invite({ uses: 1_000 }), 5)).toBe(true);
  expect(isOpen(invite({ uses: 2, uses_max: 2 }), 5)).toBe(false);
  expect(isOpen(invite({ expires_ms: 5 }), 5)).toBe(false);
  expect(isOpen(invite({ expires_ms: 6, uses: 1, uses_max: 2 }), 5)).toBe(true);
});

it("follows members as they come, change and go", async () => {
  const member = (id: string, role: Role): Member => ({
    user: { id, name: id, about: "", online: false, last_seen_ms: 0 },
    role,
    joined_ms: 0,
  });
  const pages = [{ items: [member("c", "member")], next: "more" }, { items: [member("b", "owner"), member("a", "member")] }];
  const listeners = new Map<string, (value: unknown) => void>();
  const api = { get: async () => pages.shift() } as unknown as Api;
  const konvert = {
    api,
    on: (name: string, listener: (value: unknown) => void) => {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  };
  const members = new Members("d/1", konvert as unknown as Konvert, new People(api));
  const shown = () => members.list.value.map(({ user, role }) => `${user.id} ${role}`);
  members.open();
  await Promise.resolve();
  await Promise.resolve();
  expect([shown(), members.hasMore]).toEqual([["c member"], true]);
  await members.more();
  expect([shown(), members.hasMore]).toEqual([["b owner", "a member", "c member"], false]);
  const tell = (path: string, body: unknown) => listeners.get("changed")?.({ path, body });
  tell("/api/dialogs/d%2F1/members/a", null);
  tell("/api/dialogs/d%2F1/members/c", member("c", "admin"));
  tell("/api/dialogs/other/members/b", null);
  expect(shown()).toEqual(["b owner", "c admin"]);
  members.close();
  expect(listeners.size).toBe(0);
});
