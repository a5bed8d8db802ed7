// The negative controls of the whole way: the app is built with one rule of the SDK broken, and the stories' oracle must
// find what follows. A broken build that passes would mean that the stories prove nothing.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { historyFaults, saidFaults } from "../support/oracle.ts";
import { expect, type Stage, test } from "../support/stage.ts";

const WEB = fileURLToPath(new URL("../..", import.meta.url));

interface Fault {
  readonly name: string;
  readonly file: string;
  /** What stands there, and what stands there in the broken build. */
  readonly changes: readonly (readonly [right: string, wrong: string])[];
  /** What the oracle says of it. */
  readonly found: RegExp;
}

const faults: Fault[] = [
  {
    name: "a message that is sent again gets another id",
    file: "core/outbox.ts",
    changes: [['link.command("publish", publish,', 'link.command("publish", { ...publish, messageId: this.#platform.id() },']],
    found: /said 1 times, stored 2 times/,
  },
  {
    name: "one goes on behind the first message that was missed, and takes a hole for granted",
    file: "core/sync.ts",
    changes: [
      [
        "return { since: { epoch: this.#epoch, offset: this.#last } };",
        "return { since: { epoch: this.#epoch, offset: this.#last + 1 } };",
      ],
      ["if (last !== null && message.offset !== last + 1) break;", ""],
    ],
    found: /^lost: /,
  },
];

for (const fault of faults) {
  test(`found: ${fault.name}`, async ({ stage }) => {
    const dist = await broken(fault);
    try {
      const told = await unluckyConversation(stage, dist);
      expect(
        told.some((one) => fault.found.test(one)),
        `found instead:\n${told.join("\n")}`,
      ).toBe(true);
    } finally {
      rmSync(dist, { recursive: true, force: true });
    }
  });
}

test("the same conversation with the SDK as it is: no fault", async ({ stage }) => {
  expect(await unluckyConversation(stage, stage.dist)).toEqual([]);
});

/** Answers that get lost, and an absence: all that is needed to lose and to double. */
async function unluckyConversation(stage: Stage, dist: string | undefined): Promise<string[]> {
  stage.dist = dist;
  stage.expectOutages();
  stage.expected.push(/for a moment/);
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  await boris.say(dialog, "before");
  const her = await anna.enterDialog(dialog);
  await expect(her.message("before")).toBeVisible();
  anna.network.deafen();
  await her.say("once");
  await expect.poll(async () => (await anna.account.history(dialog)).length).toBe(2);
  anna.network.cut();
  await her.isOffline();
  for (let i = 1; i <= 3; i++) await boris.say(dialog, `meanwhile ${i}`);
  anna.network.restore();
  await her.isOnline();
  await boris.say(dialog, "after");
  await expect(her.message("after")).toBeVisible();
  const isSent = async () => !(await her.look()).some(({ offset }) => offset === undefined);
  await expect
    .poll(isSent, { timeout: 10_000 })
    .toBe(true)
    .catch(() => {});
  const history = await anna.account.history(dialog);
  return [...historyFaults(history), ...saidFaults(["once"], history, anna.account.id), ...(await her.faults(anna.account, dialog))];
}

/** Builds the app with a fault in it; the directory. */
async function broken({ file, changes }: Fault): Promise<string> {
  const path = fileURLToPath(new URL(`../../../js/src/${file}`, import.meta.url));
  for (const [right] of changes) expect(readFileSync(path, "utf8").split(right), `${right} stands in ${file} once`).toHaveLength(2);
  const outDir = mkdtempSync(join(tmpdir(), "konvert-broken-"));
  await build({
    root: WEB,
    configFile: join(WEB, "vite.config.ts"),
    logLevel: "warn",
    build: { outDir, emptyOutDir: true },
    plugins: [
      {
        name: "break",
        enforce: "pre",
        transform: (code, id) => (id === path ? changes.reduce((text, [right, wrong]) => text.replace(right, () => wrong), code) : null),
      },
    ],
  });
  return outDir;
}
