// Draws the app's icons from the mark, by Chromium (CHROMIUM, default `chromium`). Run after the mark has changed, and
// commit what it writes:
//
//   node scripts/icons.mjs
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const file = (name) => fileURLToPath(new URL(`../public/${name}`, import.meta.url));
const mark = readFileSync(file("mark.svg"), "utf8");

/** A maskable icon is cut to any shape: the mark stays within the middle four fifths of it, on paper. */
const ICONS = [
  { name: "icon-192.png", size: 192, scale: 1, ground: "transparent" },
  { name: "icon-512.png", size: 512, scale: 1, ground: "transparent" },
  { name: "icon-maskable-512.png", size: 512, scale: 0.68, ground: "#f6f3ec" },
  { name: "icon-apple-180.png", size: 180, scale: 0.8, ground: "#f6f3ec" },
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"],
});
try {
  for (const { name, size, scale, ground } of ICONS) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    const style = `margin:0;display:grid;place-items:center;height:100vh;background:${ground}`;
    await page.setContent(
      `<body style="${style}">${mark.replace("<svg ", `<svg width="${size * scale}" height="${size * scale}" `)}</body>`,
    );
    await page.screenshot({ path: file(name), omitBackground: ground === "transparent" });
    await page.close();
    console.log(`public/${name}`);
  }
} finally {
  await browser.close();
}
