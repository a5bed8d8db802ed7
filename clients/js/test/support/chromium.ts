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

/** Collects what a page throws and nobody catches, as it happens. */
export function faultsOf(page: Page, faults: string[] = []): string[] {
  page.on("pageerror", (error) => faults.push(String(error)));
  return faults;
}
