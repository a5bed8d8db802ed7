// How much a first visit loads, as it travels: the page, its script, its styles, the mark. Ends with 1 above the bar.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BAR_BYTES = 120 * 1024;
const dist = (name) => fileURLToPath(new URL(`../dist/${name}`, import.meta.url));

const page = readFileSync(dist("index.html"), "utf8");
const named = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name);
const sizes = ["index.html", ...named].map((name) => [name, gzipSync(readFileSync(dist(name)), { level: 9 }).length]);
const sum = sizes.reduce((total, [, bytes]) => total + bytes, 0);
for (const [name, bytes] of sizes) console.log(`${String(bytes).padStart(7)} ${name}`);
console.log(`${String(sum).padStart(7)} bytes of gzip in all; the bar is ${BAR_BYTES}`);
process.exitCode = sum > BAR_BYTES ? 1 : 0;
