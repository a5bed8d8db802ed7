// Completes the lock file: npm leaves out what it could not fetch, and Biome's programs for other platforms are such
// packages wherever a registry keeps only one's own. `npm ci` refuses a lock file without them. Run after `npm install`.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(path, "utf8"));
const { packages } = lock;
const model = packages["node_modules/@biomejs/cli-linux-x64"];
for (const [name, version] of Object.entries(packages["node_modules/@biomejs/biome"].optionalDependencies)) {
  const [, os, cpu, libc] = /cli-(\w+)-(\w+)(?:-(\w+))?$/.exec(name);
  const { dev, license, optional, engines } = model;
  const where = { cpu: [cpu], dev, ...(os === "linux" ? { libc: [libc ?? "glibc"] } : {}), license, optional, os: [os], engines };
  packages[`node_modules/${name}`] ??= { version, ...where };
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
