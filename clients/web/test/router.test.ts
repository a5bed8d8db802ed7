import { beforeAll, expect, it, vi } from "vitest";
import type { pathOf as PathOf, routeOf as RouteOf } from "../src/router";

let routeOf: typeof RouteOf;
let pathOf: typeof PathOf;

beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/" });
  vi.stubGlobal("addEventListener", () => {});
  ({ routeOf, pathOf } = await import("../src/router"));
});

it("knows its addresses", () => {
  const routes = [
    "/",
    "/contacts",
    "/settings",
    "/door",
    "/d/dialog-a",
    "/room/lobby",
    "/invite/s.e_c-r",
    "/d/",
    "/elsewhere",
    "/d/%E0%A4%A",
  ];
  expect(routes.map((path) => routeOf(path))).toEqual([
    { at: "list" },
    { at: "contacts" },
    { at: "settings" },
    { at: "door" },
    { at: "conversation", name: "dialog-a", isDialog: true },
    { at: "conversation", name: "lobby", isDialog: false },
    { at: "invite", secret: "s.e_c-r" },
    { at: "list" },
    { at: "list" },
    { at: "list" },
  ]);
});

it("finds the way back from any name", () => {
  for (const name of ["lobby", "a/b", "a b?#%", "комната", "..", "%2f"]) {
    expect(routeOf(pathOf(name, false))).toEqual({ at: "conversation", name, isDialog: false });
  }
});
