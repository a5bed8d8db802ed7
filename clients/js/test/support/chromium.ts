// A real browser for what only a real browser can show: its locks, its channels between tabs, its storage.
//
// Owns one Chromium per test file, the machine's own: none is downloaded. CHROMIUM names another program.
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const hasChromium = existsSync(PROGRAM);

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: PROGRAM,
    // Sandboxes differ between machines; shared memory is small in containers.
    args: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** What goes wrong in a page, as it goes wrong. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("crash", () => faults.push("the page crashed"));
  return faults;
}
