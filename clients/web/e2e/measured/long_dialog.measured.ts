// A dialog of 5 000 messages scrolls at 60 frames a second: measured where it is hardest, around its beginning, when all of
// it comes to be here; the way there and back is run through. Measured against a page with nothing but text, in the same
// browser a moment before and after: what the machine cannot do is not the app's.
import { CROWDED } from "../support/api.ts";
import { type Frames, scroll, told } from "../support/frames.ts";
import { expect, test } from "../support/stage.ts";

const MESSAGES = 5_000;
/** Frames that may be later than on the empty page, as a share. */
const SLACK = 0.05;
/** Rows in the page at most, however long the dialog. */
const ROWS_MAX = 400;
/** Pixels in a second: a hand that turns the wheel without a pause. */
const SPEED = 6_000;
/** The same where one only passes: nobody sees single frames of it. */
const FAST = 30_000;
/** From here on to the first message it is measured, and back by as many pixels. */
const NEAR_OFFSET = 1_500;
const BACK_PX = 48_000;

test.use({ settings: CROWDED });

test("5 000 messages scroll at 60 frames a second", async ({ stage }) => {
  test.setTimeout(400_000);
  const anna = await stage.person("Anna");
  const boris = await stage.account("Boris");
  const dialog = await anna.account.dialogWith(boris);
  for (let i = 1; i <= MESSAGES; i += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, k) => {
        const n = i + k;
        const text = `${n} ${"some words of a message ".repeat(n % 7)}${n % 50 ? "" : "https://example.org/page 🦀"}`;
        return (n % 3 ? boris : anna.account).say(dialog, text, { message_id: `m${n}` });
      }),
    );
  }
  await anna.account.ask("PUT", `/api/dialogs/${dialog}/read`, { offset: MESSAGES });
  const at = { x: 800, y: 400 };

  // The machine's own measure: a long page of plain text.
  const blank = await anna.context.newPage();
  await blank.setContent(`<body style="font:16px sans-serif;white-space:pre-wrap"></body>`);
  await blank.evaluate(() => document.body.append(`${"some words of a message\n".repeat(3_000)}`));
  const measureBlank = () => {
    let times = 0;
    return scroll(blank, { ...at, pixels: 60_000, speed: SPEED }, async () => times++ > 1);
  };
  await blank.bringToFront();
  const before = await measureBlank();

  const her = await anna.enterDialog(dialog);
  await her.page.bringToFront();
  await her.isSettled(anna.account, dialog);
  // In the page and in sight: the list is at this message.
  const shows = (offset: number) => () =>
    her.page.evaluate((offset) => {
      const box = document.querySelector(`[role=log] [data-offset="${offset}"]`)?.getBoundingClientRect();
      return !!box && box.bottom > 0 && box.top < innerHeight;
    }, offset);
  const isNear = () =>
    her.page.evaluate((near) => {
      const first = document.querySelector<HTMLElement>("[role=log] [data-offset]");
      return !!first && Number(first.dataset.offset) <= near;
    }, NEAR_OFFSET);
  const there = await scroll(her.page, { ...at, pixels: -2_000_000, speed: FAST }, isNear);
  const up = await scroll(her.page, { ...at, pixels: -2_000_000, speed: SPEED }, shows(1));
  expect(await shows(1)(), "the first message was never reached").toBe(true);
  const down = await scroll(her.page, { ...at, pixels: BACK_PX, speed: SPEED }, async () => false);
  const back = await scroll(her.page, { ...at, pixels: 2_000_000, speed: FAST }, shows(MESSAGES));
  expect(await shows(MESSAGES)(), "the last message was never reached again").toBe(true);

  await blank.bringToFront();
  await blank.evaluate(() => scrollTo(0, 0));
  const after = await measureBlank();
  const baseline = Math.min(before.inTime, after.inTime);
  const medianMs = Math.max(17, before.medianMs, after.medianMs);
  for (const [name, frames] of Object.entries({ "empty page before": before, there, up, down, back, "empty page after": after })) {
    console.log(told(name, frames));
  }
  const isSmooth = (frames: Frames, name: string) => {
    expect(frames.inTime, `${name}: share of frames in time (empty page: ${baseline})`).toBeGreaterThanOrEqual(baseline - SLACK);
    expect(frames.medianMs, `${name}: median`).toBeLessThanOrEqual(medianMs);
    expect(frames.rowsMax, `${name}: rows in the page`).toBeLessThanOrEqual(ROWS_MAX);
    expect(frames.blank / frames.looks, `${name}: looks at an empty list`).toBeLessThanOrEqual(0.05);
  };
  for (const { rowsMax } of [there, back]) expect(rowsMax, "rows in the page, passing").toBeLessThanOrEqual(ROWS_MAX);
  isSmooth(up, "up, loading history");
  isSmooth(down, "down");
});
