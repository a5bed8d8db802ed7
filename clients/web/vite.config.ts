// How the app is built: the SDK straight from its sources, names by content, each file compressed beside itself.
//
// Invariant: the same sources give the same bytes, wherever and whenever they are built.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const sdk = (file: string) => fileURLToPath(new URL(`../js/src/${file}`, import.meta.url));

/** Where `npm run dev` finds a running server. */
const SERVER = process.env.KONVERT_URL ?? "http://127.0.0.1:3001";

export default defineConfig({
  plugins: [worker(), compressed()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  resolve: {
    alias: [
      { find: /^@konvert\/sdk$/, replacement: sdk("index.ts") },
      { find: /^@konvert\/sdk\/indexeddb$/, replacement: sdk("indexeddb.ts") },
      { find: /^@konvert\/sdk\/tabs$/, replacement: sdk("tabs/index.ts") },
    ],
  },
  build: {
    target: ["chrome123", "firefox120", "safari17.5"],
    // A data: address would be one more thing for the content policy to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: "index.html", sw: "src/sw.ts" },
      // The worker's place is what it cares for: it stands at the root, under a name that stays.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  server: {
    fs: { allow: ["..", "../../protocol"] },
    proxy: { "/api": { target: SERVER, ws: true } },
  },
  // What is late is not wrong: a machine that does something else beside is given its time.
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000 },
});

/** Tells the service worker which files make up this build, and names the build after them. */
function worker(): Plugin {
  let publicDir = "";
  return {
    name: "worker",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const sw = bundle["sw.js"];
        if (sw?.type !== "chunk") throw new Error("the build has no sw.js");
        const built = Object.values(bundle).filter((file) => file !== sw);
        const contents = new Map(built.map((file) => [file.fileName, file.type === "chunk" ? file.code : file.source]));
        for (const name of readdirSync(publicDir)) contents.set(name, readFileSync(join(publicDir, name)));
        const names = [...contents.keys()].sort();
        const hash = createHash("sha256");
        for (const name of names)
          hash
            .update(`${name}\0`)
            .update(contents.get(name) ?? "")
            .update("\0");
        const build = { version: hash.digest("hex").slice(0, 16), files: names.map((name) => (name === "index.html" ? "/" : `/${name}`)) };
        sw.code = sw.code.replaceAll("BUILD", JSON.stringify(build));
      },
    },
  };
}

/** Files below this gain nothing. */
const COMPRESSED_MIN_BYTES = 1_024;

/** Writes `.br` and `.gz` beside every text of the build. */
function compressed(): Plugin {
  let out = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved: ({ root, build }) => {
      out = resolve(root, build.outDir);
    },
    closeBundle() {
      for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
        if (!/\.(js|css|html|svg|webmanifest)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const bytes = readFileSync(path);
        if (bytes.length < COMPRESSED_MIN_BYTES) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}
