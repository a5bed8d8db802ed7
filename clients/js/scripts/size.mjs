// How much a page must load: each entry, bundled, minified, compressed. Fails when the core is over its bar.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The core with MessagePack, bytes of gzip. */
const CORE_MAX_BYTES = 20_000;

const root = new URL("..", import.meta.url).pathname;
const entries = {
  core: "src/index.ts",
  protobuf: "src/protobuf.ts",
  indexeddb: "src/indexeddb.ts",
  tabs: "src/tabs/index.ts",
  react: "src/react.ts",
};
let failed = false;

for (const [name, entry] of Object.entries(entries)) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    external: ["react"],
    outdir: "out",
    metafile: true,
    write: false,
  });
  // What is loaded at once: the entry and what it imports, without what is loaded on demand.
  const first = new Set();
  const visit = (path) => {
    if (first.has(path)) return;
    first.add(path);
    for (const { path: next, kind } of metafile.outputs[path]?.imports ?? []) if (kind === "import-statement") visit(next);
  };
  visit(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === entry));
  const bytes = (isFirst) =>
    outputFiles
      .filter(({ path }) => first.has(path.slice(root.length)) === isFirst)
      .reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
  const later = bytes(false);
  const isOver = name === "core" && bytes(true) > CORE_MAX_BYTES;
  failed ||= isOver;
  const more = later ? `, ${later} more on demand` : "";
  console.log(`${name.padEnd(10)} ${String(bytes(true)).padStart(6)} bytes gzip${more}${isOver ? `  OVER ${CORE_MAX_BYTES}` : ""}`);
}

// The core must run without any package.
const { dependencies = {} } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
if (Object.keys(dependencies).length) {
  console.log(`the SDK has dependencies: ${Object.keys(dependencies).join(", ")}`);
  failed = true;
}
process.exit(failed ? 1 : 0);
