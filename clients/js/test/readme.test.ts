// The guide tells the truth: its blocks compile and run, its tables are the code's, every public symbol is described.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";
import { adviceOf, CLOSE, SDK_ERRORS } from "../src/core/errors.js";
import { blocks, readme } from "./support/guide.js";
import { hasServer, Server } from "./support/server.js";

const root = new URL("..", import.meta.url).pathname;
const first = blocks.find(({ kind }) => kind === "first")?.code ?? "";
const scratch = join(root, "test", ".readme");
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What the guide leaves to its reader. */
const READER = `
declare const savedPosition: import("@konvert/sdk").Position | undefined, userId: string, directory: string;
declare function save(...what: unknown[]): void; declare function note(...what: unknown[]): void;
declare function clear(): void; declare function show(...what: unknown[]): void; declare function render(...what: unknown[]): void;
declare function getToken(): Promise<string>;
`;

/** A block as a module: those that go on from the first have it in front. */
const whole = ({ kind, code, language }: (typeof blocks)[0]) =>
  kind || language === "tsx" ? code : `${first.replace(/^const \{ position \}.*$/m, "")}${code}`;

test("blocks compile, strictly", () => {
  mkdirSync(scratch, { recursive: true });
  const files = blocks.map((block, i) => {
    const file = join(scratch, `block-${i + 1}.${block.language}`);
    const konvert = block.language === "tsx" || block.kind === "rest" ? 'declare const konvert: import("@konvert/sdk").Konvert, room: import("@konvert/sdk").Room;\n' : "";
    writeFileSync(file, `${konvert}${whole(block)}\n${READER}\nexport {};\n`);
    return file;
  });
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(files, { ...options, noUnusedLocals: false, noUnusedParameters: false });
  const wrong = ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  expect(wrong).toEqual([]);
});

/** Runs a block with what its reader brings. */
async function run(code: string, url: string, reader: Record<string, unknown>): Promise<void> {
  const body = ts
    .transpileModule(code.replaceAll("https://chat.example", url), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 },
    })
    .outputText.replace(/^import \{([^}]*)\} from "@konvert\/sdk";$/gm, "const {$1} = sdk;")
    .replace(/^export \{\};$/gm, "");
  const sdk = await import("../src/node/index.js");
  const names = ["sdk", ...Object.keys(reader)];
  const Async = (async () => {}).constructor as new (...source: string[]) => (...values: unknown[]) => Promise<void>;
  await new Async(...names, `${body}\nif (typeof konvert !== "undefined") await konvert.close();`)(sdk, ...Object.values(reader));
}

describe.skipIf(!hasServer)("blocks run", () => {
  const runnable = blocks.filter(({ language, kind }) => language === "ts" && kind !== "browser" && kind !== "rest");
  test.each(runnable)("$name", async (block) => {
    const server = await Server.start();
    try {
      const token = server.token("reader");
      const ignore = () => {};
      const quiet = { ...console, log: ignore, warn: ignore };
      const reader = { ...{ save: ignore, note: ignore, clear: ignore, show: ignore, render: ignore }, console: quiet };
      const more = { savedPosition: undefined, userId: "reader", directory: join(server.data, "reader"), getToken: async () => token };
      await run(whole(block), server.url, { ...reader, ...more, fetch: async () => ({ text: async () => token }) });
    } finally {
      await server.remove();
    }
  });
});

test.skipIf(!hasServer)("the block about REST runs", async () => {
  const server = await Server.start();
  const { Konvert } = await import("../src/node/index.js");
  const account = { login: "reader", name: "Reader", password: "violet-anchor-47-harvest" };
  const signedUp = await fetch(`${server.url}/api/auth/sign-up`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(account),
  });
  const { access_token: token } = (await signedUp.json()) as { access_token: string };
  const konvert = new Konvert(server.url, { token });
  const shown: unknown[][] = [];
  try {
    const code = blocks.find(({ kind }) => kind === "rest")?.code ?? "";
    const { id: notes } = await konvert.api.post<{ id: string }>("/api/dialogs", { kind: "group", title: "Notes" });
    const room = konvert.room(notes);
    await run(code, server.url, { konvert, room, show: (...what: unknown[]) => shown.push(what) });
    const blob = createHash("sha256").update("…").digest("hex");
    expect(shown.slice(0, -1)).toEqual([["0 of 3"], ["3 of 3"]]);
    const [id, dialogs, told] = shown.at(-1) ?? [];
    const listed = (dialogs as { items: { id: string; title: string }[] }).items.map(({ id, title }) => `${id} ${title}`);
    expect(listed.sort()).toEqual([`${id} Holidays`, `${notes} Notes`].sort());
    expect(told).toBe(blob);
    const again = new Konvert(server.url, { token });
    const { messages } = await again.room(notes).page();
    expect(messages.map(({ text, blobs }) => [text, blobs])).toEqual([["The list", [blob]]]);
    await again.close();
  } finally {
    await konvert.close();
    await server.remove();
  }
});

test("the tables of reasons and errors are the code's", () => {
  const rows = [...readme.matchAll(/^\| (\d{4}) \| `(\w+)` \| (.*) \|$/gm)].map(([, code, name, then]) => ({
    code: Number(code),
    name,
    then,
  }));
  const reasons = rows.filter(({ code }) => code >= 3000);
  expect(Object.fromEntries(reasons.map(({ code, name }) => [name, code]))).toEqual(CLOSE);
  for (const { code, then } of reasons) expect(then?.startsWith("closed"), String(code)).toBe(adviceOf(code) === "stop");
  const errors = rows.filter(({ code }) => code < 3000);
  expect(Object.fromEntries(errors.map(({ code, name }) => [name, code]))).toEqual(
    Object.fromEntries(Object.entries(SDK_ERRORS).map(([name, [code]]) => [name, code])),
  );
  const protocol = readFileSync(join(root, "../../PROTOCOL.md"), "utf8");
  for (const [, code, name, then] of protocol.matchAll(/^\| (4\d{3}) \| `(\w+)` \| (\w+) \|/gm)) {
    // 4402 is ours to soften: see `adviceOf`.
    if (code !== "4402") expect(adviceOf(Number(code)), name).toBe(then);
  }
});

test("every public symbol is described", () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const types = [...JSON.stringify(exports).matchAll(/"types":"([^"]+)"/g)].map(([, path = ""]) => path);
  const entries = types.map((path) => join(root, path.replace("./dist/", "src/").replace(".d.ts", ".ts")));
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const program = ts.createProgram(entries, ts.parseJsonConfigFileContent(config, ts.sys, root).options);
  const checker = program.getTypeChecker();
  const silent: string[] = [];
  let seen = 0;
  const look = (symbol: ts.Symbol, name: string) => {
    const tags = symbol.getJsDocTags(checker).map((tag) => tag.name);
    if (tags.includes("internal")) return;
    seen++;
    if (!symbol.getDocumentationComment(checker).length) silent.push(name);
    const isOwn = symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface);
    for (const [, member] of isOwn ? (symbol.members ?? []) : []) {
      const [declaration] = member.declarations ?? [];
      if (!declaration || ts.isTypeParameterDeclaration(declaration)) continue;
      const title = ts.getNameOfDeclaration(declaration);
      if (title && ts.isPrivateIdentifier(title)) continue;
      if (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Override)) continue;
      if (member.flags & ts.SymbolFlags.Constructor) continue;
      look(member, `${name}.${member.name}`);
    }
  };
  /** Objects without a name of their own, as in a union; what tells one from the other is described with the whole. */
  const lookInside = (type: ts.TypeNode, name: string): void => {
    if (ts.isUnionTypeNode(type) || ts.isIntersectionTypeNode(type)) return type.types.forEach((one) => lookInside(one, name));
    if (!ts.isTypeLiteralNode(type)) return;
    for (const member of type.members) {
      const symbol = member.name && checker.getSymbolAtLocation(member.name);
      const isMark = ts.isPropertySignature(member) && member.type && ts.isLiteralTypeNode(member.type);
      if (symbol && !isMark) look(symbol, `${name}.${symbol.name}`);
    }
  };
  for (const entry of entries) {
    const file = program.getSourceFile(entry);
    const module = file && checker.getSymbolAtLocation(file);
    expect(module, entry).toBeDefined();
    for (const exported of module ? checker.getExportsOfModule(module) : []) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      look(symbol, symbol.name);
      for (const declared of symbol.declarations ?? []) if (ts.isTypeAliasDeclaration(declared)) lookInside(declared.type, symbol.name);
    }
  }
  expect([...new Set(silent)]).toEqual([]);
  expect(seen).toBeGreaterThan(200);
});

test("files are short and say what they own", () => {
  const files = ts.sys.readDirectory(
    root,
    [".ts", ".tsx", ".mjs"],
    ["node_modules", "dist", "test/.readme"],
    ["src", "test", "scripts", "examples"],
  );
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    expect(text.split("\n").length, file).toBeLessThanOrEqual(401);
    expect(text.startsWith("// "), file).toBe(true);
  }
  expect(files.length).toBeGreaterThan(50);
});
