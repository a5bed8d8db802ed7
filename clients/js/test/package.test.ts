// What is published is what an application gets: packed, unpacked, compiled against and run, in Node and for a page.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const place = mkdtempSync(join(tmpdir(), "konvert-package-"));
const installed = join(place, "node_modules", "@konvert", "sdk");

beforeAll(() => {
  mkdirSync(installed, { recursive: true });
  const args = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", place];
  execFileSync("npm", args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  const tarball = readdirSync(place).find((file) => file.endsWith(".tgz")) ?? "";
  execFileSync("tar", ["-xzf", join(place, tarball), "-C", installed, "--strip-components=1"]);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const SHARED = `
import { Konvert, type Message } from "@konvert/sdk";
import { protobuf } from "@konvert/sdk/protobuf";
import { shareTabs } from "@konvert/sdk/tabs";
import { IndexedDbStore } from "@konvert/sdk/indexeddb";
const konvert = new Konvert("https://k.example", { codec: protobuf, connect: false, transport: shareTabs({ key: "u" }) });
konvert.room("r").on("message", (message: Message) => message.text.length);
export const seen = [konvert.state.name, typeof IndexedDbStore];
`;

test("it holds the package and nothing else", () => {
  expect(readdirSync(installed).sort()).toEqual(["README.md", "dist", "package.json"]);
});

test.each([
  ["NodeNext", ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext, 'import { FileStore } from "@konvert/sdk"; new FileStore("x");'],
  ["Bundler", ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler, 'import { FileStore } from "@konvert/sdk/node"; new FileStore("x");'],
])("types are found by %s", (name, module, moduleResolution, more) => {
  const file = join(place, `${name}.mts`);
  writeFileSync(file, `${more}${SHARED}`);
  const lib = ["lib.es2022.d.ts", "lib.dom.d.ts"];
  const options = { module, moduleResolution, target: ts.ScriptTarget.ES2022, strict: true, noEmit: true, lib, types: [] };
  const wrong = ts.getPreEmitDiagnostics(ts.createProgram([file], options));
  expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual([]);
});

test("it runs in Node, and a page gets no Node with it", async () => {
  const script = join(place, "run.mjs");
  const code = ts.transpileModule(SHARED, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 } }).outputText;
  writeFileSync(script, `${code}\nconsole.log(seen.join(" "));`);
  expect(execFileSync(process.execPath, [script], { encoding: "utf8" }).trim()).toBe("closed function");
  const { outputFiles } = await build({ entryPoints: [script], bundle: true, format: "esm", platform: "browser", write: false });
  expect(outputFiles[0]?.text).not.toMatch(/["']node:/);
});
