// How the end-to-end tests run: stories beside each other, measurements by themselves.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const program = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(program)) throw new Error(`no Chromium at ${program}: install the package chromium, or set CHROMIUM`);

export default defineConfig({
  testDir: ".",
  outputDir: "../node_modules/.cache/e2e",
  // What is late is not wrong: a machine that does something else beside is given its time.
  timeout: 240_000,
  expect: { timeout: 30_000 },
  fullyParallel: true,
  // A test that passes only the second time has failed.
  retries: 0,
  forbidOnly: !!process.env.CI,
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath: program,
      // Fonts and sandboxes differ between machines; shared memory is small in containers.
      args: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"],
    },
  },
  projects: [
    { name: "stories", testDir: "stories", testMatch: "*.story.ts" },
    { name: "controls", testDir: "controls", testMatch: "*.control.ts" },
    { name: "measured", testDir: "measured", testMatch: "*.measured.ts", fullyParallel: false },
    // Takes the pictures of the documentation; tests nothing.
    { name: "pictures", testDir: "../scripts", testMatch: "pictures.ts" },
  ],
});
