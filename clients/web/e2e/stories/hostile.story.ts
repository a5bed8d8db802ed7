// What people say may be anything: it is shown as what it is, nothing of it runs, nothing of it breaks the page.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Account } from "../support/api.ts";
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

/** What would run sets this. */
const RAN = "document.documentElement.dataset.ran='yes'";

const markup = [
  `<script>${RAN}</script>`,
  `<img src=x onerror="${RAN}">`,
  `<svg onload="${RAN}"><animate onbegin="${RAN}" attributeName=x dur=1s>`,
  `<iframe srcdoc="<script>parent.${RAN}</script>"></iframe>`,
  `"><b>bold</b><style>*{display:none}</style><!--`,
  `<a href="javascript:${RAN}">click</a>`,
  `{{constructor.constructor("${RAN}")()}}`,
  `<base href="https://evil.example/"><form action=//evil.example><button>x`,
  "&lt;b&gt; &amp;amp; &#x3c;script&#x3e;",
  `[link](javascript:${RAN}) ![x](x" onerror="${RAN})`,
];

const links = [
  `javascript:${RAN}`,
  `JaVaScRiPt:${RAN}//https://example.org`,
  `java\tscript:${RAN}`,
  `data:text/html,<script>${RAN}</script>`,
  `vbscript:msgbox(1) file:///etc/passwd blob:https://example.org/1`,
  `https://example.org/"onmouseover="${RAN}`,
  `https://example.org/<script>${RAN}</script>`,
  "https://user:password@example.org/ http://[::1]:80/ https://example.org:99999/",
  "mailto:anna@example.org?subject=hi",
  "https://аррӏе.com/ (not what it seems)",
];

const tricks = [
  "\u202Egnp.exe\u202C right-to-left override",
  "\u2066\u2067\u2068 isolates that are never closed",
  "שלום עולם, this is mixed, مرحبا بالعالم 123",
  "Z\u0335\u0321\u0322".repeat(30) + "a".repeat(3) + "\u0300".repeat(400),
  "👩‍👩‍👧‍👦👨🏿‍🚀🏳️‍🌈🇺🇦❤️‍🔥\u{1F9D1}\u{1F3FB}\u200D\u2764\uFE0F\u200D\u{1F48B}\u200D\u{1F9D1}\u{1F3FF}",
  "🏴󠁧󠁢󠁳󠁣󠁴󠁿 lone surrogates cannot be said; zero width: a\u200Bb\u200Cc\u200Dd\uFEFFe",
  "\u0000\u0007\u001B[31mcontrol characters\u0085\u2028\u2029 end",
  " leading and trailing spaces and\n\n\n\nmany\n\nlines ",
  "W".repeat(5_000),
  "﷽".repeat(200),
];

test("hostile texts are shown as they are, and nothing runs", async ({ stage }) => {
  const anna = await stage.person("<img src=x onerror=alert(1)>");
  const mallory = await stage.account(`"><b>Mallory</b>`);
  const dialog = await anna.account.dialogWith(mallory);
  const group = await mallory.group("<script>alert(1)</script>", [anna.account]);
  for (const text of [...markup, ...links, ...tricks]) await mallory.say(dialog, text);
  await mallory.say(group, markup[0] ?? "");
  let dialogs = 0;
  await anna.context.addInitScript(collect);
  const her = await anna.enter();
  her.page.on("dialog", (shown) => {
    dialogs++;
    void shown.dismiss();
  });
  await her.openDialog(dialog);
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: [] }]);
  const { links: shown, tags } = await her.page.evaluate(() => ({ links: [...window.collected.links], tags: [...window.collected.tags] }));
  expect(shown.length).toBeGreaterThan(5);
  for (const link of shown) {
    const [href, rel, target] = JSON.parse(link) as string[];
    expect(href).toMatch(/^(https?:\/\/|mailto:)/);
    expect(rel?.split(" ")).toEqual(expect.arrayContaining(["noopener", "noreferrer"]));
    // What is shown is where it leads.
    expect(target).toBe("_blank");
  }
  expect(tags.filter((tag) => !["A", "BR", "STRONG", "B", "EM", "I", "CODE", "PRE", "SPAN", "BDI", "S", "DEL"].includes(tag))).toEqual([]);
  await expectNothingRan(her.page);
  expect(dialogs).toBe(0);
  expect(await her.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  // An override ends with its own message: it turns nothing around that stands beside it.
  const directions = await her.log
    .locator("[data-part=text]")
    .evaluateAll((all) => all.map((one) => [one.getAttribute("dir"), getComputedStyle(one).unicodeBidi]));
  for (const [dir, bidi] of directions) expect(dir === "auto" || bidi?.includes("isolate") || bidi === "plaintext").toBe(true);
});

test("64 KB in one message, on a phone and on a laptop", async ({ stage }) => {
  const anna = await stage.person("Anna", { isPhone: true });
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const words = "слово ".repeat(5_957).slice(0, 32_768 - 1);
  const texts = ["x".repeat(65_536), words, `${"\n".repeat(2_000)}end`, "🦀".repeat(16_384), "<b>".repeat(20_000)];
  for (const text of texts) await boris.account.say(dialog, text);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  await expectAllIsWell(dialog, [{ account: anna.account, app: her, said: [] }]);
  for (const app of [her, his]) expect(await app.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);

  // The longest that is possible can be typed; one byte more is refused in the page, and what was typed is not lost.
  await his.composer.fill("y".repeat(65_537));
  await his.composer.press("Enter");
  await expect(his.composer).toHaveValue("y".repeat(65_537));
  await his.composer.fill("y".repeat(65_536));
  await his.composer.press("Enter");
  await expect(his.composer).toHaveValue("");
  await expectAllIsWell(dialog, [{ account: boris.account, app: his, said: [...texts, "y".repeat(65_536)] }]);
});

test("broken pictures, and pictures that are none, are shown as files", async ({ stage }) => {
  stage.expected.push(/Failed to load resource/);
  const anna = await stage.person("Anna");
  const mallory = await stage.account("Mallory");
  const dialog = await anna.account.dialogWith(mallory);
  const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
  const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="${RAN}"><script>${RAN}</script></svg>`);
  const html = Buffer.from(`<!doctype html><script>${RAN}</script>`);
  const files = [Buffer.concat([png, Buffer.alloc(64, 1)]), svg, html];
  for (const [i, bytes] of files.entries()) {
    const blob = await upload(stage.server.url, mallory, bytes);
    if (blob) await mallory.say(dialog, `file ${i}`, { blobs: [blob] });
  }
  await mallory.say(dialog, "a file that is nowhere, and so is not stored").catch(() => {});
  const her = await anna.enterDialog(dialog);
  await her.isSettled(anna.account, dialog);
  await expect(her.message("file 0")).toBeVisible();
  await her.frame();
  await expectNothingRan(her.page);
  expect(await her.faults(anna.account, dialog)).toEqual([]);
  expect(await her.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
});

test("the negative control: the policy stops what would run, and that is noticed", async ({ stage }) => {
  const { app } = await stage.visitor();
  await app.goto("/");
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  stage.expected.push(/script-src|Content Security Policy|img-src/);
  await app.page.evaluate((code) => {
    const box = document.createElement("div");
    document.body.append(box);
    box.innerHTML = `<img src="https://evil.example/x.png" onerror="${code}">`;
  }, RAN);
  await expect.poll(() => app.page.evaluate(() => window.watched.violations.length)).toBeGreaterThan(0);
  expect(await app.page.evaluate(() => document.documentElement.dataset.ran)).toBeUndefined();
});

declare global {
  interface Window {
    collected: { links: Set<string>; tags: Set<string> };
  }
}

/** Runs in the page: takes down every element that is ever part of a text, since rows come and go with what is seen. */
function collect(): void {
  const { links, tags } = (window.collected = { links: new Set<string>(), tags: new Set<string>() });
  new MutationObserver(() => {
    for (const one of document.querySelectorAll("[data-part=text] *")) {
      tags.add(one.tagName);
      if (one.tagName === "A") links.add(JSON.stringify(["href", "rel", "target"].map((name) => one.getAttribute(name) ?? "")));
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}

async function expectNothingRan(page: import("@playwright/test").Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.dataset.ran), "something ran").toBeUndefined();
  expect(await page.evaluate(() => window.watched.violations), "something tried to run").toEqual([]);
}

/** Stores a file; nothing when the server does not take it. */
async function upload(url: string, account: Account, bytes: Buffer): Promise<string | null> {
  const hash = createHash("sha256").update(bytes).digest("hex");
  const answer = await fetch(`${url}/api/blobs/${hash}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${account.token}`, "content-type": "application/octet-stream" },
    body: new Uint8Array(bytes),
  });
  return answer.ok ? hash : null;
}
