// The negative controls on a real page: what the oracle and the watch in the page must notice is done to the page.
import { expect, test } from "../support/stage.ts";

const spoilers: [string, RegExp, (rows: HTMLElement[]) => void][] = [
  ["removed", /^lost: 2/, (rows) => rows[1]?.style.setProperty("display", "none")],
  ["doubled", /doubled/, (rows) => rows[1]?.after(rows[1].cloneNode(true))],
  ["swapped", /out of order/, (rows) => rows[2]?.after(rows[1] as Node)],
  [
    "altered",
    /^altered: 2/,
    (rows) => {
      const text = rows[1]?.querySelector("[data-part=text]");
      if (text) text.textContent = "something else";
    },
  ],
];
for (const [name, fault, spoil] of spoilers) {
  test(`a message that is ${name} is noticed`, async ({ stage }) => {
    const anna = await stage.person("Anna");
    const dialog = await anna.account.dialogWith(await stage.account("Boris"));
    for (const text of ["one", "two", "three", "four"]) await anna.account.say(dialog, text);
    const her = await anna.enterDialog(dialog);
    await her.isSettled(anna.account, dialog);
    expect(await her.faults(anna.account, dialog)).toEqual([]);
    await her.messages.evaluateAll(spoil as (rows: (HTMLElement | SVGElement)[]) => void);
    const faults = await her.faults(anna.account, dialog);
    expect(
      faults.some((one) => fault.test(one)),
      faults.join("\n"),
    ).toBe(true);
    if (name === "doubled" || name === "swapped") {
      stage.expected.push(/for a moment/);
      expect(await her.page.evaluate(() => window.watched.faults)).not.toEqual([]);
    }
  });
}
