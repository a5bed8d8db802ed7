import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Dialog } from "../src/model/resources";

const group = (title: string) => ({ id: title, kind: "group", title }) as Dialog;

describe("finding", () => {
  let search: typeof import("../src/list/search");
  beforeAll(async () => {
    vi.stubGlobal("navigator", { onLine: true, languages: ["en"] });
    vi.stubGlobal("localStorage", { getItem: () => null });
    vi.stubGlobal("document", { documentElement: {} });
    search = await import("../src/list/search");
    return () => vi.unstubAllGlobals();
  });

  it("has first what begins as one has asked, otherwise the order of the list", () => {
    const list = ["Group 115", "Group 15", "Group 215", "Old group (15)", "Group 1"].map(group);
    const found = (query: string) => search.matching(list, query).map(({ title }) => title);
    expect(found("Group 15")).toEqual(["Group 15", "Old group (15)", "Group 115", "Group 215"]);
    expect(found("15")).toEqual(["Group 15", "Old group (15)", "Group 115", "Group 215"]);
    expect(found("oup")).toEqual(list.map(({ title }) => title));
  });

  it("tells a question that is too short, one that failed and one that nobody answers to apart", () => {
    const said = [
      { state: "short", people: [] },
      { state: "failed", people: [], error: { name: "http" } },
      { state: "failed", people: [], error: { name: "bad_request" } },
      { state: "found", people: [] },
      { state: "looking", people: [] },
    ] as const;
    expect(said.map(search.sayFinding)).toEqual([
      "Type at least two characters.",
      "The server does not answer.",
      "This is too long for a name.",
      "Nobody by that name",
      "",
    ]);
  });
});
