import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SDK_ERRORS } from "../../js/src/core/errors";
import { en } from "../src/words/en";
import { counted } from "../src/words/plural";
import { ru } from "../src/words/ru";
import { daysBetween, Times } from "../src/words/times";

/** Every text of a language by its path, with `function` for a phrase. */
function flat(words: object, path = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(words).flatMap(([name, value]) =>
      typeof value === "object"
        ? Object.entries(flat(value, `${path}${name}.`))
        : [[`${path}${name}`, typeof value === "string" ? value : "function"]],
    ),
  );
}

describe("words", () => {
  it("has the same keys in every language, and no empty text", () => {
    const [english, russian] = [flat(en), flat(ru)];
    expect(Object.keys(russian).sort()).toEqual(Object.keys(english).sort());
    for (const text of [...Object.values(english), ...Object.values(russian)]) expect(text.trim()).not.toBe("");
  });

  it("says in Russian what it does not say in English", () => {
    const english = flat(en);
    const same = Object.entries(flat(ru)).filter(([key, text]) => text !== "function" && text === english[key]);
    expect(same.map(([key]) => key)).toEqual(["app"]);
  });

  it("has something to say of every weakness that the server finds in a password", () => {
    const { components } = JSON.parse(readFileSync("../../docs/openapi.json", "utf8"));
    const names: string[] = components.schemas.Problem.properties.advice.items.enum;
    expect(Object.keys(en.advice).sort()).toEqual([...names].sort());
  });

  it("has words for every error of the server and of the SDK", () => {
    const [, table = ""] = /<!-- errors:[^>]*-->([\s\S]*?)<!-- end -->/.exec(readFileSync("../../PROTOCOL.md", "utf8")) ?? [];
    const names = [...table.matchAll(/^\| \d+ \| `(\w+)` \|/gm)].map(([, name = ""]) => name);
    // As many as there are lines with a number: a change of the table's form must not hide any.
    expect(names).toHaveLength(table.match(/^\| \d/gm)?.length ?? 0);
    expect(names.length).toBeGreaterThan(50);
    for (const name of [...names, ...Object.keys(SDK_ERRORS)]) {
      expect(en.errors, name).toHaveProperty(name);
      expect(ru.errors[name as keyof typeof ru.errors], name).toMatch(/[а-я]/i);
    }
  });

  it("has words for every reason why a connection is closed for good", () => {
    const [, table = ""] = /<!-- closes:[^>]*-->([\s\S]*?)<!-- end -->/.exec(readFileSync("../../PROTOCOL.md", "utf8")) ?? [];
    const names = [...table.matchAll(/^\| \d+ \| `(\w+)` \| stop \|/gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(3);
    // Whoever was too slow to say hello comes again by itself.
    for (const name of names.filter((name) => name !== "connect_timeout")) expect(en.connection.why, name).toHaveProperty(name);
  });

  it("has a name for every limit", () => {
    const { components } = JSON.parse(readFileSync("../../docs/openapi.json", "utf8"));
    for (const kind of components.schemas.LimitKind.enum) {
      expect(en.settings.limit, kind).toHaveProperty(kind);
      expect(ru.settings.limit, kind).toHaveProperty(kind);
    }
  });

  it("declines Russian numbers", () => {
    const forms = { one: "письмо", few: "письма", many: "писем", other: "письма" };
    const said = [0, 1, 2, 4, 5, 11, 14, 21, 22, 25, 111, 1.5].map((n) => counted("ru")(n, forms));
    expect(said).toEqual([
      "писем",
      "письмо",
      "письма",
      "письма",
      "писем",
      "писем",
      "писем",
      "письмо",
      "письма",
      "писем",
      "писем",
      "письма",
    ]);
    expect(ru.list.unread(22)).toBe("22 непрочитанных сообщения");
    expect(en.list.unread(1)).toBe("1 unread message");
  });
});

describe("times", () => {
  const at = (text: string) => new Date(text).getTime();
  const times = new Times("en", en);
  const now = at("2026-11-21T00:10:00");

  it("counts midnights, not hours", () => {
    expect(daysBetween(at("2026-11-20T23:59:00"), now)).toBe(1);
    expect(daysBetween(at("2026-11-19T00:11:00"), now)).toBe(2);
  });

  it("says days as people do", () => {
    const days = ["2026-11-21T00:01:00", "2026-11-20T23:59:00", "2026-11-16T12:00:00", "2025-03-02T12:00:00"].map((text) =>
      times.day(at(text), now),
    );
    expect(days).toEqual(["Today", "Yesterday", "Monday, November 16", "March 2, 2025"]);
    expect(new Times("ru", ru).day(at("2026-11-16T12:00:00"), now)).toBe("Понедельник, 16 ноября");
  });

  it("writes the clock as the language does", () => {
    const ru = new Times("ru", { today: "", yesterday: "" });
    expect([times.clock(at("2026-11-21T19:05:00")), times.clock(at("2026-11-21T07:22:00"))].map((text) => text.replace(/\s/, " "))).toEqual(
      ["7:05 PM", "7:22 AM"],
    );
    expect(ru.clock(at("2026-11-21T07:22:00"))).toBe("07:22");
  });

  it("is short in lists", () => {
    expect(["2026-11-20T12:00:00", "2026-11-01T12:00:00"].map((text) => times.short(at(text), now))).toEqual(["Fri", "11/01/26"]);
  });
});
