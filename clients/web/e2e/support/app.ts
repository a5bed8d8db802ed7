// One open page of the app, as a person and a screen reader see it: roles, names, and the attributes that are kept for
// tests. Everything that depends on how the app is built stands here, so that the stories do not.
import { expect, type Locator, type Page } from "@playwright/test";
import type { Account } from "./api.ts";
import { fold, listFaults, type Shown, stretchFaults } from "./oracle.ts";
import { until } from "./until.ts";

export class App {
  readonly page: Page;
  readonly #base: () => string;

  constructor(page: Page, base: () => string) {
    this.page = page;
    this.#base = base;
  }

  get shell(): Locator {
    return this.page.locator("#app");
  }
  get composer(): Locator {
    return this.page.locator("textarea[name=message]");
  }
  get log(): Locator {
    return this.page.locator("main [data-conversation] [role=log]");
  }
  get messages(): Locator {
    return this.log.locator("[data-message-id]");
  }
  get files(): Locator {
    return this.page.locator("input[type=file][name=files]");
  }

  row(dialog: string): Locator {
    return this.page.locator(`li[data-dialog="${dialog}"]`);
  }

  /** Messages with exactly this text. */
  message(text: string): Locator {
    const exactly = this.page.locator("[data-part=text]").getByText(text, { exact: true });
    const self = this.page.locator("[data-part=text]").and(this.page.getByText(text, { exact: true }));
    return this.messages.filter({ has: self.or(exactly) });
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.#base() + path);
  }

  /** Through the door, as somebody who has an account. */
  async signIn({ login, password }: Pick<Account, "login" | "password">): Promise<void> {
    const form = this.page.locator("[data-form=sign-in]");
    await form.locator("input[name=login]").fill(login);
    await form.locator("input[name=password]").fill(password);
    await form.locator("[type=submit]").click();
    await this.isOnline();
  }

  /** From any page of the app to a dialog. */
  async openDialog(dialog: string): Promise<void> {
    await this.row(dialog).getByRole("link").or(this.row(dialog).getByRole("button")).first().click();
    await this.isOpen(dialog);
  }

  async isOpen(dialog: string): Promise<void> {
    await expect(this.page.locator(`main [data-conversation="${dialog}"]`)).toBeVisible();
    await expect(this.composer).toBeVisible();
  }

  /** Types and sends. */
  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await expect(this.composer).toHaveValue("");
  }

  async isOnline(withinMs = 60_000): Promise<void> {
    await expect(this.shell).toHaveAttribute("data-connection", "connected", { timeout: withinMs });
  }

  async isOffline(withinMs = 30_000): Promise<void> {
    await expect(this.shell).not.toHaveAttribute("data-connection", "connected", { timeout: withinMs });
  }

  /** One look: every message in the page at this moment, from top to bottom. */
  look(): Promise<Shown[]> {
    return this.log.evaluate((log) =>
      // What is there and cannot be seen is not shown.
      [...log.querySelectorAll<HTMLElement>("[data-message-id]")]
        .filter((item) => item.checkVisibility() && item.offsetHeight > 0)
        .map((item) => ({
          id: item.dataset.messageId ?? "",
          text: item.querySelector("[data-part=text]")?.textContent ?? "",
          ...(item.dataset.offset ? { offset: Number(item.dataset.offset) } : {}),
          ...(item.dataset.ticks ? { ticks: item.dataset.ticks } : {}),
          ...("deleted" in item.dataset ? { isErased: true } : {}),
        })),
    );
  }

  /** Waits until everything typed here is stored, and the newest message of the dialog is shown. */
  async isSettled(account: Account, dialog: string): Promise<void> {
    await this.isOnline();
    // What is remembered is shown before the server has told better, and elsewhere than where the dialog opens.
    await expect(this.log).toHaveAttribute("aria-busy", "false");
    await until("nothing is on its way", async () => {
      const shown = await this.look();
      const last = fold(await account.history(dialog)).at(-1);
      const isThere = !last || shown.some(({ id }) => id === last.id);
      // It opens where the unread begins, and only what is near to what is seen is in the page.
      if (!isThere) await this.log.evaluate((log) => log.scrollTo({ top: log.scrollHeight }));
      return isThere && !shown.some(({ offset }) => offset === undefined);
    });
  }

  /** Compares all that this page shows, from its first message to its last, with what the server keeps; the faults. */
  async faults(account: Account, dialog: string): Promise<string[]> {
    const wanted = fold(await account.history(dialog));
    const found = new Map<number, Shown>();
    const faults = new Set<string>();
    const gather = async () => {
      const shown = await this.look();
      for (const fault of stretchFaults(shown, wanted)) faults.add(fault);
      for (const one of shown) if (one.offset !== undefined) found.set(one.offset, one);
    };
    const isAll = () => wanted.every(({ offset }) => found.has(offset ?? 0));
    const deadline = Date.now() + 60_000;
    await this.page.bringToFront();
    await this.log.hover();
    await gather();
    // To the beginning and back to the end, by the wheel, until there is nothing left to see. Before the message that
    // stands there has been seen it is no end: the next page may be on its way.
    for (const [step, end] of [
      [-600, wanted[0]],
      [600, wanted.at(-1)],
    ] as const) {
      let stuck = 0;
      while (!isAll() && stuck < 10 && Date.now() < deadline) {
        const before = found.size;
        await this.page.mouse.wheel(0, step);
        await this.frame();
        await gather();
        const isThere = found.has(end?.offset ?? 0) && (await this.isAtEnd(step));
        stuck = found.size === before && isThere ? stuck + 1 : 0;
      }
    }
    const list = [...found.values()].sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
    for (const fault of listFaults(list, wanted)) faults.add(fault);
    return [...faults];
  }

  /** Waits until the messages stay where they are, drawn ten times: a wheel that was turned goes on for a while. */
  async isAtRest(): Promise<void> {
    await this.log.evaluate(async (log) => {
      const places = () => [...log.querySelectorAll("[data-offset]")].map((row) => row.getBoundingClientRect().top).join();
      for (let before = "", same = 0; same < 10; ) {
        await new Promise((drawn) => requestAnimationFrame(drawn));
        const now = places();
        same = now === before ? same + 1 : 0;
        before = now;
      }
    });
  }

  /** Waits until nothing moves or fades any more. */
  async isStill(): Promise<void> {
    await this.page.evaluate(() =>
      Promise.all(
        document.getAnimations().map((one) => (one.effect?.getComputedTiming().endTime === Infinity ? null : one.finished.catch(() => {}))),
      ),
    );
    await this.frame();
  }

  /** Waits until the browser has drawn twice. */
  async frame(): Promise<void> {
    await this.page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  }

  /** Whether what scrolls the messages is at its beginning (up) or its end (down). */
  isAtEnd(direction: number): Promise<boolean> {
    return this.log.evaluate((log, down) => {
      let box: Element | null = log;
      while (box && !/auto|scroll/.test(getComputedStyle(box).overflowY)) box = box.parentElement;
      if (!box) return true;
      return down ? box.scrollTop + box.clientHeight >= box.scrollHeight - 2 : box.scrollTop <= 1;
    }, direction > 0);
  }
}
