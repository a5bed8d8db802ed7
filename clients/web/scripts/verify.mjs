// Whether `dist` is what the sources build: run by CI. Ends with 1 and the names of the files that differ.
//
// Compressed files are compared by what they hold, because another zlib writes other bytes for the same.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

const kept = fileURLToPath(new URL("../dist", import.meta.url));
const built = mkdtempSync(join(tmpdir(), "konvert-web-"));
try {
  const vite = spawnSync("npx", ["vite", "build", "--outDir", built, "--emptyOutDir", "--logLevel", "warn"], { stdio: "inherit" });
  if (vite.status !== 0) process.exit(1);
  const names = new Set([...list(kept), ...list(built)]);
  const different = [...names].filter((name) => !isSame(join(kept, name), join(built, name)));
  for (const name of different.sort()) console.log(`dist/${name} is not what the sources build`);
  if (different.length) console.log("Run `npm run build` and commit clients/web/dist.");
  else console.log(`${names.size} files of dist are what the sources build`);
  process.exitCode = different.length ? 1 : 0;
} finally {
  rmSync(built, { recursive: true });
}

function list(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function isSame(a, b) {
  return existsSync(a) && existsSync(b) && contents(a).equals(contents(b));
}

function contents(path) {
  const bytes = readFileSync(path);
  if (path.endsWith(".br")) return brotliDecompressSync(bytes);
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}
