// Files: dropped, pasted, uploaded over a connection that breaks; the other one gets every byte.
import { createHash, randomBytes } from "node:crypto";
import type { App } from "../support/app.ts";
import { expect, test } from "../support/stage.ts";

/** Larger than a piece of an upload. */
const BIG_BYTES = 5 * 1024 * 1024;

/** A message is told a moment before the server opens its files; whoever is quicker asks again. */
const NOT_OPEN_YET = /status of 404 .*\/api\/blobs\/[0-9a-f]{64}\/info/;

/** Lets go of a file over the conversation, or pastes one into the composer, as a browser tells the page of it. */
async function bring(app: App, how: "drop" | "paste", name: string, text: string): Promise<void> {
  const target = how === "drop" ? app.page.locator("main [data-conversation]") : app.composer;
  await target.evaluate(
    (element, { how, name, text }) => {
      const held = new DataTransfer();
      held.items.add(new File([text], name, { type: "text/plain" }));
      const options = { bubbles: true, cancelable: true };
      if (how === "paste") return void element.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: held }));
      for (const name of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(name, { ...options, dataTransfer: held });
        element.dispatchEvent(event);
        // A page that does not want the file must leave it to the browser.
        if (name !== "dragenter" && !event.defaultPrevented) throw new Error(`${name} was left to the browser`);
      }
    },
    { how, name, text },
  );
}

/** What somebody gets who presses the file. */
async function saved(app: App, name: string): Promise<Buffer> {
  const [download] = await Promise.all([
    app.page.waitForEvent("download"),
    app.messages.getByRole("button", { name }).or(app.messages.getByRole("link", { name })).first().click(),
  ]);
  expect(download.suggestedFilename()).toBe(name);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

for (const how of ["drop", "paste"] as const) {
  test(`a file by ${how} goes with the message and arrives whole`, async ({ stage }) => {
    stage.expected.push(NOT_OPEN_YET);
    const anna = await stage.person("Anna");
    const boris = await stage.person("Boris");
    const dialog = await anna.account.dialogWith(boris.account);
    const his = await boris.enterDialog(dialog);
    const her = await anna.enterDialog(dialog);
    await bring(her, how, "notes.txt", `brought by ${how}`);
    await expect(her.page.locator(".attachment[data-state=done]")).toContainText("notes.txt");
    await her.composer.fill("look at this");
    await her.composer.press("Enter");
    await expect(his.messages.last()).toContainText("look at this");
    await expect(his.messages.last()).toContainText("notes.txt");
    expect(String(await saved(his, "notes.txt"))).toBe(`brought by ${how}`);
  });
}

test("an upload that is cut goes on where it stopped", async ({ stage }) => {
  stage.expectOutages();
  stage.expected.push(NOT_OPEN_YET);
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const his = await boris.enterDialog(dialog);
  const her = await anna.enterDialog(dialog);
  const bytes = randomBytes(BIG_BYTES);
  let pieces = 0;
  anna.network.onRequest = (method) => {
    if (method === "PATCH" && ++pieces === 3) anna.network.cut();
  };
  await her.files.setInputFiles({ name: "film.bin", mimeType: "application/octet-stream", buffer: bytes });
  await her.isOffline(120_000);
  const attachment = her.page.locator(".attachment");
  await expect(attachment).toHaveAttribute("data-state", /uploading|failed/);
  anna.network.restore();
  await expect(attachment).toHaveAttribute("data-state", "done", { timeout: 120_000 });
  // Two pieces of five were there. Begun anew it would have taken all five once more. What the server refused, because it
  // still waited for the rest of the one that was cut, took nothing.
  expect(anna.network.count("PATCH", "/api/blobs", 204), "pieces that were taken").toBeLessThan(2 + 5);
  expect(anna.network.count("POST", "/api/blobs"), "uploads that were begun").toBe(1);
  await her.isOnline();
  await her.composer.fill("the film");
  await her.composer.press("Enter");
  await expect(his.messages.last()).toContainText("film.bin");
  const got = await saved(his, "film.bin");
  const hash = (of: Buffer) => createHash("sha256").update(of).digest("hex");
  expect(hash(got)).toBe(hash(bytes));
});

test("a file that the server does not take is told of, and holds nothing back for longer than one wants", async ({ stage }) => {
  stage.expected.push(NOT_OPEN_YET, /status of 4(00|13|15|22) /);
  const anna = await stage.person("Anna");
  const dialog = await anna.account.dialogWith(await stage.account("Boris"));
  const her = await anna.enterDialog(dialog);
  await her.files.setInputFiles([
    { name: "evil.html", mimeType: "text/html", buffer: Buffer.from("<!doctype html><html><script>alert(1)</script></html>") },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") },
  ]);
  const evil = her.page.locator(".attachment", { hasText: "evil.html" });
  await expect(evil).toHaveAttribute("data-state", "failed");
  await expect(her.page.locator(".attachment", { hasText: "notes.txt" })).toHaveAttribute("data-state", "done");
  await expect(evil.getByRole("button", { name: /Try again/ })).toHaveCount(0);
  await her.composer.fill("look at this");
  await her.composer.press("Enter");
  const told = her.page.getByText("Not sent: leave out the files that the server does not take");
  await expect(told).toBeVisible();
  await expect(her.composer).toHaveValue("look at this");
  await evil.getByRole("button", { name: "Leave out evil.html" }).click();
  await expect(told).toBeHidden();
  await her.composer.press("Enter");
  await expect(her.messages.last()).toContainText("notes.txt");
});
