// axe finds nothing serious in any part of the app, in either theme, on a laptop and on a phone.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type { App } from "../support/app.ts";
import { expect, type Person, type Stage, test } from "../support/stage.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Fault {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** What axe calls serious or critical. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((result) => result.violations)",
  )) as Fault[];
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`));
}

/** Somebody with everything in it that there is to see. */
async function lively(stage: Stage, theme: "light" | "dark", isPhone: boolean): Promise<{ anna: Person; dialog: string; group: string }> {
  const anna = await stage.person("Anna", { theme, isPhone });
  const boris = await stage.account("Boris");
  const vera = await stage.account("Vera");
  const dialog = await anna.account.dialogWith(boris);
  const group = await boris.group("The boat", [anna.account, vera]);
  const first = await boris.say(dialog, "See https://example.org, and *this* `code`");
  await anna.account.say(dialog, "An answer", { relation: { kind: "reply", offset: first } });
  await anna.account.ask("POST", `/api/dialogs/${dialog}/messages/${first}/reactions`, { text: "👍" });
  const gone = await boris.say(dialog, "gone soon");
  await boris.ask("DELETE", `/api/dialogs/${dialog}/messages/${gone}`);
  for (let i = 0; i < 3; i++) await vera.say(group, `Who sails? ${i}`, { mentions: [anna.account.id] });
  await vera.ask("POST", `/api/contacts/${anna.account.id}/request`);
  return { anna, dialog, group };
}

for (const theme of ["light", "dark"] as const) {
  for (const isPhone of [false, true]) {
    test(`axe finds nothing serious: ${theme}, ${isPhone ? "phone" : "laptop"}`, async ({ stage }) => {
      const { anna, dialog, group } = await lively(stage, theme, isPhone);
      const app: App = await anna.tab();
      const { page } = app;
      const told: string[] = [];
      const look = async (where: string) => {
        // Colours that fade are not yet what they will be.
        await app.isStill();
        told.push(...(await faults(page)).map((fault) => `${where}: ${fault}`));
      };
      await expect(page.locator("[data-form=sign-in]")).toBeVisible();
      await look("door");
      await app.signIn(anna.account);
      await expect(app.row(dialog)).toBeVisible();
      await expect(app.row(group)).toHaveAttribute("data-mentions", "3");
      await look("list");
      await app.openDialog(dialog);
      await expect(app.message("An answer")).toBeVisible();
      await look("conversation");
      // The least and the gravest of what one does with a message.
      await app.message("An answer").focus();
      await page.keyboard.press("Enter");
      await expect(page.getByRole("menu")).toBeVisible();
      await look("menu of a message");
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await expect(page.getByText("Delete for everybody?")).toBeVisible();
      await look("deleting a message");
      await page.keyboard.press("Escape");
      await app.goto(`/d/${group}`);
      await expect(app.message("Who sails? 2")).toBeVisible();
      await look("group");
      const members = page.getByRole("button", { name: /members/i });
      if (await members.count()) {
        await members.first().click();
        await look("members");
      }
      await app.goto("/contacts");
      await expect(page.getByText("Vera").filter({ visible: true }).first()).toBeVisible();
      await look("contacts");
      await app.goto("/settings");
      await expect(page.getByRole("heading", { name: "Settings" }).first()).toBeVisible();
      await look("settings");
      expect(told).toEqual([]);
    });
  }
}

test("the negative control: axe does find what is wrong", async ({ stage }) => {
  const { app } = await stage.visitor();
  await app.goto("/");
  await expect(app.page.locator("[data-form=sign-in]")).toBeVisible();
  await app.page.evaluate(() => {
    const button = document.body.appendChild(document.createElement("button"));
    button.append(document.createElement("i"));
  });
  expect((await faults(app.page)).join("\n")).toContain("button-name");
});
