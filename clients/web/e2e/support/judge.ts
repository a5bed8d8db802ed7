// The verdict at the end of a story: everybody sees what the server keeps, and the server keeps what was said.
import { expect } from "@playwright/test";
import type { Account } from "./api.ts";
import type { App } from "./app.ts";
import { historyFaults, saidFaults } from "./oracle.ts";

/** Somebody's page, and what they typed into it. */
export interface Side {
  readonly account: Account;
  readonly app: App;
  readonly said: readonly string[];
}

/** Nothing lost, doubled or out of order: in the store, and on every page from its first message to its last. */
export async function expectAllIsWell(dialog: string, sides: readonly Side[]): Promise<void> {
  for (const { account, app } of sides) await app.isSettled(account, dialog);
  for (const { account, app, said } of sides) {
    const history = await account.history(dialog);
    expect(historyFaults(history), "the server's list").toEqual([]);
    expect(saidFaults(said, history, account.id), `what ${account.name} said`).toEqual([]);
    expect(await app.faults(account, dialog), `what ${account.name} sees`).toEqual([]);
  }
}
