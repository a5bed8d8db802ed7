// Takes the pictures of the documentation from the real app: a week in the life of a small bakery, in English and in
// Russian, by day and by night, on a laptop and on a phone.
//
//   npm run pictures        (KONVERT_BIN, and APP_DIST for a build that is not in the binary yet)
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import type { Account } from "../e2e/support/api.ts";
import type { App } from "../e2e/support/app.ts";
import { expect, type Looks, type Stage, test } from "../e2e/support/stage.ts";

const OUT = fileURLToPath(new URL("../../../docs/pictures/", import.meta.url));
/** When the evening's talk begins, when the morning's does, and when the pictures are taken: hours of a day. */
const EVENING = 18.6;
const MORNING = 24 + 9.1;

test.use({
  hasMovableClock: true,
  settings: { KONVERT_SERVICE__REQUESTS_PER_SECOND: "1000", KONVERT_SERVICE__REQUESTS_BURST: "1000" },
});

/** Who says what to whom; `wait` lets so many hours pass before. */
interface Line {
  readonly by: number;
  readonly text: string;
  readonly reply?: number;
  readonly picture?: true;
  readonly reactions?: readonly (readonly [number, string])[];
  readonly wait?: number;
  readonly mentions?: readonly number[];
}

/** A language: names (the first one is whose screens are shown), the main conversation, and the others in the list. */
interface Script {
  readonly names: readonly string[];
  readonly title: string;
  readonly talk: readonly Line[];
  readonly others: readonly { readonly with: readonly number[]; readonly title?: string; readonly lines: readonly Line[] }[];
  /** Being typed when the picture is taken. */
  readonly typing: string;
}

const en: Script = {
  names: ["Nora Lindqvist", "Tomás Rivera", "Ingrid Bauer", "Kofi Mensah", "June Park", "Old Harbour Mill"],
  title: "Saturday market",
  talk: [
    { by: 1, text: "Who has the keys to the van tomorrow?" },
    { by: 2, text: "I do. Leaving at half past five, which is a time I did not know existed." },
    {
      by: 0,
      text: "Forty rye, thirty sourdough, and whatever Kofi calls the thing with figs.",
      reactions: [
        [3, "😄"],
        [2, "👍"],
      ],
    },
    { by: 3, text: "It is called a fig crown and it sold out in an hour last week.", reply: 2 },
    {
      by: 2,
      text: "Stall is up. The light is ridiculous this morning.",
      wait: 17,
      picture: true,
      reactions: [
        [0, "❤️"],
        [1, "❤️"],
        [3, "❤️"],
      ],
    },
    { by: 1, text: "Twelve crowns gone before nine. I take back what I said about figs." },
    { by: 3, text: "I would like that in writing." },
    {
      by: 1,
      text: "You have it in writing. It says read by all, and I cannot unsend it.",
      reply: 6,
      reactions: [
        [0, "😄"],
        [2, "😄"],
      ],
    },
    { by: 0, text: "Next week we bake sixty. Ingrid, could you order flour today? https://oldharbourmill.example/order", mentions: [2] },
  ],
  others: [
    {
      with: [4],
      lines: [
        { by: 4, text: "The new labels are printed, come and look when you can" },
        { by: 4, text: "They are very yellow" },
      ],
    },
    {
      with: [5],
      lines: [
        { by: 0, text: "Good morning! Could we move the delivery to Tuesday?" },
        { by: 5, text: "Tuesday is fine. 200 kg of rye, as always." },
        { by: 0, text: "Perfect, thank you" },
      ],
    },
    {
      with: [1, 2, 3, 4],
      title: "Everybody",
      lines: [
        { by: 4, text: "Photos from the summer party are in the shared folder" },
        { by: 3, text: "Nora, please hide the one with the cake", mentions: [0] },
      ],
    },
    {
      with: [3],
      lines: [
        { by: 3, text: "Can you take my early shift on Thursday?" },
        { by: 0, text: "Yes, if I get a crown" },
      ],
    },
    { with: [2], lines: [{ by: 2, text: "Oven 2 is making the noise again" }] },
  ],
  typing: "Already",
};

const ru: Script = {
  names: ["Нора Лебедева", "Тимур Гареев", "Инга Соловьёва", "Костя Мельник", "Женя Пак", "Мельница «Старая гавань»"],
  title: "Субботняя ярмарка",
  talk: [
    { by: 1, text: "У кого завтра ключи от фургона?" },
    { by: 2, text: "У меня. Выезжаю в половине шестого: не знала, что такое время бывает." },
    {
      by: 0,
      text: "Сорок ржаных, тридцать на закваске и то, что Костя печёт с инжиром.",
      reactions: [
        [3, "😄"],
        [2, "👍"],
      ],
    },
    { by: 3, text: "Это называется «инжирная корона», и в прошлый раз её разобрали за час.", reply: 2 },
    {
      by: 2,
      text: "Прилавок стоит. Свет сегодня невозможный.",
      wait: 17,
      picture: true,
      reactions: [
        [0, "❤️"],
        [1, "❤️"],
        [3, "❤️"],
      ],
    },
    { by: 1, text: "Двенадцать корон ушли до девяти. Беру назад всё, что говорил об инжире." },
    { by: 3, text: "Хотелось бы письменно." },
    {
      by: 1,
      text: "Вот тебе письменно. Прочитано всеми, назад уже не забрать.",
      reply: 6,
      reactions: [
        [0, "😄"],
        [2, "😄"],
      ],
    },
    { by: 0, text: "На той неделе печём шестьдесят. Инга, закажешь сегодня муку? https://staraya-gavan.example/zakaz", mentions: [2] },
  ],
  others: [
    {
      with: [4],
      lines: [
        { by: 4, text: "Новые этикетки готовы, загляни, когда сможешь" },
        { by: 4, text: "Они очень жёлтые" },
      ],
    },
    {
      with: [5],
      lines: [
        { by: 0, text: "Доброе утро! Можно перенести доставку на вторник?" },
        { by: 5, text: "Вторник подходит. Ржаной 200 кг, как всегда." },
        { by: 0, text: "Отлично, спасибо" },
      ],
    },
    {
      with: [1, 2, 3, 4],
      title: "Все свои",
      lines: [
        { by: 4, text: "Фотографии с летнего праздника лежат в общей папке" },
        { by: 3, text: "Нора, спрячь, пожалуйста, ту, что с тортом", mentions: [0] },
      ],
    },
    {
      with: [3],
      lines: [
        { by: 3, text: "Возьмёшь мою утреннюю смену в четверг?" },
        { by: 0, text: "Да, за корону" },
      ],
    },
    { with: [2], lines: [{ by: 2, text: "Вторая печь опять шумит" }] },
  ],
  typing: "Уже",
};

for (const [language, script] of Object.entries({ en, ru }) as ["en" | "ru", Script][]) {
  test(`pictures in ${language}`, async ({ stage }) => {
    test.setTimeout(180_000);
    mkdirSync(OUT, { recursive: true });
    const { people, dialog } = await live(stage, script);
    const me = people[0] as Account;
    // Each language by day and by night, each device, and no picture twice.
    const themes = { en: { laptop: "light", phone: "dark" }, ru: { laptop: "dark", phone: "light" } } as const;
    for (const [device, looks] of [
      ["laptop", { size: { width: 1280, height: 800 } }],
      ["phone", { isPhone: true }],
    ] as const) {
      const app = await signedIn(stage, me, { language, theme: themes[language][device], ...looks });
      await expect(app.row(dialog)).toBeVisible();
      if (device === "phone") await shoot(app.page, `phone-list-${language}`);
      await app.openDialog(dialog);
      await expect(app.message(script.talk.at(-1)?.text ?? "")).toBeVisible();
      const friend = await signedIn(stage, people[3] as Account, { language });
      await friend.openDialog(dialog);
      await friend.composer.pressSequentially(script.typing);
      await app.page.bringToFront();
      await expect(app.page.getByText(/typing|печатает/).first()).toBeVisible();
      await shoot(app.page, `${device}-${language}`);
      await friend.page.context().close();
      await app.page.context().close();
    }
    const { app: door } = await stage.visitor({ language });
    await door.goto("/");
    await expect(door.page.locator("[data-form=sign-in]")).toBeVisible();
    await shoot(door.page, `door-${language}`);
  });
}

/** Everybody signs up, yesterday; everything is said; it is today. */
async function live(stage: Stage, { names, title, talk, others }: Script): Promise<{ people: Account[]; dialog: string }> {
  const midnight = new Date().setUTCHours(0, 0, 0, 0);
  const letItBe = (hours: number) => stage.server.moveClock(Math.round((midnight + hours * 3_600_000 - stage.server.nowMs) / 1_000));
  letItBe(EVENING);
  const people: Account[] = [];
  for (const name of names) people.push(await stage.account(name));
  const at = (i: number) => people[i] as Account;
  const rooms: [string, readonly Line[]][] = [];
  for (const { with: members, title: name, lines } of others) {
    const id = name ? await at(0).group(name, members.map(at)) : await at(0).dialogWith(at(members[0] ?? 1));
    rooms.push([id, lines]);
  }
  const dialog = await at(0).group(title, [1, 2, 3].map(at));
  rooms.push([dialog, talk]);
  const say = async ([id, lines]: [string, readonly Line[]], isMorning: boolean) => {
    const split = lines.findIndex(({ wait }) => wait);
    const now = isMorning ? lines.slice(Math.max(split, 0)) : lines.slice(0, Math.max(0, split));
    for (const { by, text, reply, picture, reactions = [], mentions = [] } of now) {
      const blobs = picture ? [await upload(stage, at(by), await photograph(stage))] : [];
      const relation = reply === undefined ? {} : { relation: { kind: "reply", offset: (offsets.get(id) ?? [])[reply] } };
      const offset = await at(by).say(id, text, { ...relation, blobs, mentions: mentions.map((one) => at(one).id) });
      offsets.set(id, [...(offsets.get(id) ?? []), offset]);
      for (const [who, what] of reactions) await at(who).ask("POST", `/api/dialogs/${id}/messages/${offset}/reactions`, { text: what });
      stage.server.moveClock(47);
    }
  };
  const offsets = new Map<string, number[]>();
  for (const room of rooms) await say(room, false);
  letItBe(MORNING);
  for (const one of people) await one.signInAgain();
  for (const room of rooms) await say(room, true);
  const read = async (who: Account, id: string) => {
    const { messages } = { messages: await who.history(id) };
    await who.ask("PUT", `/api/dialogs/${id}/read`, { offset: messages.at(-1)?.offset ?? 0 });
  };
  for (const [i, [id]] of rooms.entries()) if (i === 1 || i === 3) await read(at(0), id);
  for (const one of [0, 1, 2, 3]) await read(at(one), dialog);
  return { people, dialog };
}

async function signedIn(stage: Stage, who: Account, looks: Looks): Promise<App> {
  const { app } = await stage.visitor({ ...looks, nowMs: stage.server.nowMs });
  await app.goto("/");
  await app.signIn(who);
  return app;
}

/** A sunrise over a market stall, painted by the browser: nobody's photograph. */
async function photograph(stage: Stage): Promise<Buffer> {
  const context = await stage.browser();
  const page = await context.newPage();
  const address = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1200, height: 800 });
    const draw = canvas.getContext("2d") as CanvasRenderingContext2D;
    const fill = (style: string | CanvasGradient, shape: () => void) => {
      draw.fillStyle = style;
      draw.beginPath();
      shape();
      draw.fill();
    };
    const sky = draw.createLinearGradient(0, 0, 0, 560);
    for (const [at, color] of [
      [0, "#27406b"],
      [0.45, "#b4718a"],
      [0.75, "#f2a66b"],
      [1, "#fbe3a1"],
    ] as const)
      sky.addColorStop(at, color);
    fill(sky, () => draw.rect(0, 0, 1200, 560));
    const glow = draw.createRadialGradient(830, 500, 20, 830, 500, 420);
    glow.addColorStop(0, "rgba(255,246,214,.95)");
    glow.addColorStop(1, "rgba(255,246,214,0)");
    fill(glow, () => draw.rect(0, 0, 1200, 560));
    fill("#fff6d8", () => draw.arc(830, 500, 54, 0, 7));
    for (const [x, width, height] of [
      [0, 150, 210],
      [140, 120, 150],
      [250, 190, 250],
      [430, 110, 170],
      [960, 140, 200],
      [1090, 130, 270],
    ] as const) {
      fill("#4a3f57", () => draw.rect(x, 560 - height, width, height));
      fill("#3d3449", () => {
        draw.moveTo(x - 8, 560 - height);
        draw.lineTo(x + width / 2, 560 - height - 60);
        draw.lineTo(x + width + 8, 560 - height);
      });
    }
    fill("#8f7663", () => draw.rect(0, 560, 1200, 240));
    for (let i = 0; i < 60; i++)
      fill(i % 2 ? "#84695799" : "#9b826d99", () => draw.ellipse((i * 211) % 1200, 580 + ((i * 97) % 220), 46, 10, 0, 0, 7));
    for (let i = 0; i < 10; i++) {
      fill(i % 2 ? "#f4ead6" : "#2f5fa8", () => {
        draw.moveTo(330 + i * 54, 300);
        draw.lineTo(384 + i * 54, 300);
        draw.lineTo(392 + i * 54, 372);
        draw.arc(357 + i * 54 + 4, 372, 31, 0, Math.PI);
      });
    }
    for (const x of [346, 856]) fill("#5b4334", () => draw.rect(x, 300, 14, 400));
    fill("#6e5140", () => draw.rect(310, 560, 600, 24));
    fill("#58402f", () => draw.rect(326, 584, 568, 130));
    for (let i = 0; i < 14; i++) {
      const x = 352 + i * 40;
      fill(["#b4732e", "#8f5322", "#c98f45"][i % 3] ?? "", () => draw.ellipse(x, 546 - (i % 2) * 6, 24, 17, 0, 0, 7));
      fill("rgba(255,233,190,.6)", () => draw.ellipse(x - 6, 540 - (i % 2) * 6, 9, 3, -0.5, 0, 7));
    }
    return canvas.toDataURL("image/jpeg", 0.85);
  });
  await context.close();
  return Buffer.from(address.split(",")[1] ?? "", "base64");
}

async function upload({ server }: Stage, who: Account, bytes: Buffer): Promise<string> {
  const hash = createHash("sha256").update(bytes).digest("hex");
  const answer = await fetch(`${server.url}/api/blobs/${hash}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${who.token}`, "content-type": "application/octet-stream" },
    body: new Uint8Array(bytes),
  });
  if (!answer.ok) throw new Error(`the picture is not taken: ${answer.status} ${await answer.text()}`);
  return hash;
}

async function shoot(page: Page, name: string): Promise<void> {
  await page.evaluate(() => Promise.all([document.fonts.ready, ...[...document.images].map((one) => one.decode().catch(() => {}))]));
  await page.screenshot({ path: join(OUT, `${name}.png`), animations: "disabled", caret: "hide" });
}
