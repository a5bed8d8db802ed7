// The style sheets beside each other: most come into the page when a part is first opened and stay, so a class that two
// of them define would change what is drawn already.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const SOURCES = new URL("../src/", import.meta.url);

/** Whose classes are there for everybody: other files may say how they look inside of something of their own. */
const COMMON = /^(look|shell)\//;
const folder = (file: string) => file.slice(0, file.lastIndexOf("/"));

interface Naming {
  readonly file: string;
  /** It stands alone, so it is meant everywhere. */
  readonly isAlone: boolean;
}

/** The selectors of a style sheet; those of nested rules are left out, for their parents stand there. */
function selectors(css: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let text = "";
  for (const char of css.replace(/\/\*.*?\*\//gs, "")) {
    if (char === "{") {
      const head = text.trim();
      // What is within @media is meant everywhere, too.
      if (!head.startsWith("@") && depth === 0) found.push(...apart(head, ","));
      if (!/^@(media|supports)/.test(head)) depth++;
      text = "";
    } else if (char === "}") {
      depth = Math.max(0, depth - 1);
      text = "";
    } else if (char === ";") text = "";
    else text += char;
  }
  return found;
}

/** Cuts at what is not within brackets. */
function apart(text: string, at: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const char of text) {
    if ("([".includes(char)) depth++;
    if (")]".includes(char)) depth--;
    if (char === at && !depth) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** Which classes a style sheet says the looks of, and whether alone or inside of something else. */
function named(file: string, css: string): [string, Naming][] {
  return selectors(css).flatMap((selector) => {
    const steps = apart(selector.replace(/[>+~]/g, " "), " ");
    const last = steps.at(-1)?.replace(/\[[^\]]*\]|::?[\w-]+(\([^)]*\))?/g, "") ?? "";
    const classes = [...last.matchAll(/\.([\w-]+)/g)];
    const isAlone = steps.length === 1 && classes.length === 1;
    return classes.map(([, name]): [string, Naming] => [name ?? "", { file, isAlone }]);
  });
}

/** Classes that are defined for everywhere in one file, and said otherwise in another one. */
function collisions(files: readonly { readonly file: string; readonly css: string }[]): string[] {
  const by = new Map<string, Naming[]>();
  for (const { file, css } of files) for (const [name, naming] of named(file, css)) by.set(name, [...(by.get(name) ?? []), naming]);
  return [...by].flatMap(([name, namings]) => {
    const owners = new Set(namings.filter(({ isAlone }) => isAlone).map(({ file }) => file));
    const others = new Set(namings.filter(({ file }) => !owners.has(file)).map(({ file }) => file));
    const isOurs = [...owners].every((owner) => COMMON.test(owner) || [...others].every((other) => folder(other) === folder(owner)));
    return owners.size > 1 || (owners.size > 0 && !isOurs) ? [`.${name}: ${[...owners, ...others].sort().join(", ")}`] : [];
  });
}

const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".css"))
  .map((file) => ({ file, css: readFileSync(new URL(file, SOURCES), "utf8") }));

describe("style sheets", () => {
  it("define no class twice", () => {
    expect(files.length).toBeGreaterThan(5);
    expect(collisions(files)).toEqual([]);
  });

  it("would be found if they did", () => {
    const leak = (css: string, other: string) =>
      collisions([
        { file: "a/a.css", css },
        { file: "b/b.css", css: other },
      ]);
    expect(leak(".sheet { width: 1px }", "@media (max-width: 1px) { .x, .sheet:hover { width: 2px } }")).toEqual([
      ".sheet: a/a.css, b/b.css",
    ]);
    expect(leak(".about { color: red }", ".group > .about[open] { color: blue }")).toEqual([".about: a/a.css, b/b.css"]);
    expect(leak(".a .sheet { width: 1px }", ".b .sheet { width: 2px }")).toEqual([]);
    expect(leak(".a { &:hover { width: 1px } }", ".b .c { width: 2px }")).toEqual([]);
  });
});
