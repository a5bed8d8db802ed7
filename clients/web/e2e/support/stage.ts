// The stage of a story: a server, people with accounts, their browsers, the networks between them; `test` to begin with.
//
// Owns all of it and clears it away, also after a failure. Invariant: a story that ends well ends without an error in
// any console, without a violation of the content policy, and without a moment at which a list was wrong.
import { writeFileSync } from "node:fs";
import { type BrowserContext, type BrowserContextOptions, test as base, expect } from "@playwright/test";
import { Account } from "./api.ts";
import { App } from "./app.ts";
import { Network } from "./network.ts";
import { Server, type Settings } from "./server.ts";
import { watch } from "./watch.ts";

export { expect } from "@playwright/test";

/** How somebody's browser is. */
export interface Looks {
  readonly language?: "en" | "ru";
  readonly theme?: "light" | "dark";
  readonly size?: { readonly width: number; readonly height: number };
  readonly isPhone?: boolean;
  /** What the clock of the device shows at the beginning, in Greenwich; absent: what it shows. */
  readonly nowMs?: number;
}

/** What a browser says about a server or a network that is not there; no fault of the page while that is the story. */
const ABOUT_OUTAGES =
  /net::ERR_|WebSocket connection to .* failed|Failed to load resource: the server responded with a status of (4(01|10)|50\d)/;

/** Somebody with a browser of their own. */
export class Person {
  readonly account: Account;
  readonly network: Network;
  readonly context: BrowserContext;
  readonly #stage: Stage;

  constructor(account: Account, network: Network, context: BrowserContext, stage: Stage) {
    this.account = account;
    this.network = network;
    this.context = context;
    this.#stage = stage;
  }

  /** A new tab, wherever it leads. */
  async tab(path = "/"): Promise<App> {
    const app = new App(await this.context.newPage(), () => this.network.url);
    this.#stage.tabs.push(app);
    await app.goto(path);
    return app;
  }

  /** A new tab, signed in. */
  async enter(): Promise<App> {
    const app = await this.tab();
    await app.signIn(this.account);
    return app;
  }

  /** A new tab of somebody who has signed in, with a dialog open. */
  async enterDialog(dialog: string): Promise<App> {
    const app = await this.enter();
    await app.openDialog(dialog);
    return app;
  }
}

export class Stage {
  readonly server: Server;
  readonly tabs: App[] = [];
  readonly problems: string[] = [];
  /** Complaints that belong to the story. */
  readonly expected: RegExp[] = [];
  /** A build of the app that everybody gets in place of the server's own. */
  dist: string | undefined = process.env.APP_DIST;
  readonly #contextOf: (options: BrowserContextOptions) => Promise<BrowserContext>;
  readonly #networks: Network[] = [];
  #logins = 0;

  constructor(server: Server, contextOf: (options: BrowserContextOptions) => Promise<BrowserContext>) {
    this.server = server;
    this.#contextOf = contextOf;
  }

  /** The server or a network will be away in this story. */
  expectOutages(): void {
    this.expected.push(ABOUT_OUTAGES);
  }

  /** A browser with nobody in it. */
  async visitor(looks: Looks = {}): Promise<{ context: BrowserContext; network: Network; app: App }> {
    const network = await Network.before(this.server, this.dist);
    this.#networks.push(network);
    const context = await this.browser(looks);
    const app = new App(await context.newPage(), () => network.url);
    this.tabs.push(app);
    return { context, network, app };
  }

  /** Somebody with an account and a browser. */
  async person(name: string, looks: Looks = {}): Promise<Person> {
    const account = await this.account(name);
    const network = await Network.before(this.server, this.dist);
    this.#networks.push(network);
    return new Person(account, network, await this.browser(looks), this);
  }

  /** Somebody with an account and nothing open. */
  account(name: string): Promise<Account> {
    return Account.signUp(this.server, `person${++this.#logins}`, name);
  }

  /** A browser; with the state of another one, somebody is signed in there. */
  async browser(
    { language = "en", theme = "light", size, isPhone = false, nowMs }: Looks = {},
    storageState?: BrowserContextOptions["storageState"],
  ): Promise<BrowserContext> {
    const context = await this.#contextOf({
      locale: language === "en" ? "en-US" : "ru-RU",
      colorScheme: theme,
      ...(nowMs === undefined ? {} : { timezoneId: "UTC" }),
      ...(storageState ? { storageState } : {}),
      viewport: size ?? (isPhone ? { width: 390, height: 844 } : { width: 1280, height: 800 }),
      ...(isPhone ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
    });
    if (nowMs !== undefined) await context.clock.install({ time: nowMs });
    await context.addInitScript(watch);
    context.on("console", (message) => {
      if (message.type() === "error") this.problems.push(`${message.text()} ${message.location().url}`);
    });
    context.on("weberror", (error) => this.problems.push(String(error.error().stack ?? error.error())));
    return context;
  }

  /** What went wrong in any page and does not belong to the story. */
  async troubles(): Promise<string[]> {
    const troubles = this.problems.filter((problem) => !this.expected.some((one) => one.test(problem)));
    for (const { page } of this.tabs) {
      if (page.isClosed()) continue;
      const watched = await page.evaluate(() => window.watched as Window["watched"] | undefined).catch(() => undefined);
      troubles.push(...(watched?.faults ?? []), ...(watched?.violations ?? []));
    }
    return troubles.filter((trouble) => !this.expected.some((one) => one.test(trouble)));
  }

  async clear(): Promise<void> {
    await Promise.all(this.#networks.map((network) => network.close()));
    await this.server.remove();
  }
}

/** Settings of the server and what is special of a story: `test.use({ settings: { … } })`. */
export const test = base.extend<{ settings: Settings; hasMovableClock: boolean; stage: Stage }>({
  settings: [{}, { option: true }],
  hasMovableClock: [false, { option: true }],
  stage: async ({ browser, settings, hasMovableClock }, use, info) => {
    const contexts: BrowserContext[] = [];
    const server = await Server.start({ KONVERT_GATEWAY__DRAIN_JITTER_MS: "50", ...settings }, hasMovableClock);
    const stage = new Stage(server, async (options) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      return context;
    });
    try {
      await use(stage);
      if (info.status === "passed") expect(await stage.troubles(), "troubles beside the story").toEqual([]);
    } finally {
      if (info.status !== "passed") {
        writeFileSync(info.outputPath("server.txt"), server.said);
        if (stage.problems.length) console.log(`${info.title}, in the console:\n${stage.problems.join("\n")}`);
        for (const [i, { page }] of stage.tabs.entries()) {
          if (!page.isClosed()) await page.screenshot({ path: info.outputPath(`tab-${i}.png`) }).catch(() => {});
        }
      }
      await Promise.all(contexts.map((context) => context.close()));
      await stage.clear();
    }
  },
});
