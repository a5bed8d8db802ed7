// A network that lets no WebSocket through, then no stream either: SSE, then long polls carry the conversation.
import { expectAllIsWell } from "../support/judge.ts";
import { expect, test } from "../support/stage.ts";

const ways = [
  { name: "WebSocket", webSockets: "open", streams: "open", transport: "websocket" },
  { name: "SSE, where handshakes are refused", webSockets: "refused", streams: "open", transport: "sse" },
  { name: "SSE, where handshakes get no answer", webSockets: "silent", streams: "open", transport: "sse" },
  { name: "long polls, where streams are refused too", webSockets: "refused", streams: "refused", transport: "poll" },
  { name: "long polls, where streams are held back", webSockets: "refused", streams: "held", transport: "poll" },
] as const;
for (const { name, webSockets, streams, transport } of ways) {
  test(`the conversation goes by ${name}`, async ({ stage }) => {
    stage.expectOutages();
    stage.expected.push(/status of 403/);
    const anna = await stage.person("Anna");
    const boris = await stage.person("Boris");
    const dialog = await anna.account.dialogWith(boris.account);
    Object.assign(anna.network, { webSockets, streams });
    const her = await anna.tab();
    await her.signIn(anna.account);
    await expect(her.shell).toHaveAttribute("data-transport", transport);
    await her.openDialog(dialog);
    const his = await boris.enterDialog(dialog);
    const sides = [
      { account: anna.account, app: her, said: [] as string[] },
      { account: boris.account, app: his, said: [] as string[] },
    ];
    for (let n = 0; n < 10; n++) {
      for (const { account, app, said } of sides) {
        said.push(`${account.name} ${n}`);
        await app.say(`${account.name} ${n}`);
      }
    }
    await expect(her.message("Boris 9")).toBeVisible();
    await expect(his.message("Anna 9")).toBeVisible();
    await expect(his.message("Boris 9")).toHaveAttribute("data-ticks", "read");
    await expect(her.shell).toHaveAttribute("data-transport", transport);
    await expectAllIsWell(dialog, sides);
  });
}

test("WebSockets are blocked in the middle of a conversation, then streams", async ({ stage }) => {
  stage.expectOutages();
  stage.expected.push(/status of 403/);
  const anna = await stage.person("Anna");
  const boris = await stage.person("Boris");
  const dialog = await anna.account.dialogWith(boris.account);
  const her = await anna.enterDialog(dialog);
  const his = await boris.enterDialog(dialog);
  const sides = [
    { account: anna.account, app: her, said: [] as string[] },
    { account: boris.account, app: his, said: [] as string[] },
  ];
  const talk = async (about: string) => {
    for (let n = 0; n < 5; n++) {
      for (const { account, app, said } of sides) {
        said.push(`${account.name} ${about} ${n}`);
        await app.say(`${account.name} ${about} ${n}`);
      }
    }
  };
  await expect(her.shell).toHaveAttribute("data-transport", "websocket");
  await talk("by WebSocket");
  for (const [change, transport] of [
    [{ webSockets: "refused" }, "sse"],
    [{ streams: "refused" }, "poll"],
  ] as const) {
    Object.assign(anna.network, change);
    anna.network.cut();
    await her.isOffline();
    anna.network.restore();
    await talk("on the way down");
    await expect(her.shell).toHaveAttribute("data-transport", transport, { timeout: 60_000 });
    await her.isOnline();
    await talk(`by ${transport}`);
  }
  await expectAllIsWell(dialog, sides);
});
