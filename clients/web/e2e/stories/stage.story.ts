// The stage does what the stories believe: networks are cut, held and deaf, handshakes refused, clocks moved.
import { connect } from "node:net";
import { expect, test } from "../support/stage.ts";

/** What becomes of a request; `silence` after so long. */
const health = (url: string, patienceMs = 60_000) =>
  fetch(`${url}/api/health`, { signal: AbortSignal.timeout(patienceMs) }).then(
    ({ status }) => String(status),
    (error: Error) => (error.name === "TimeoutError" ? "silence" : "refused"),
  );
/** How long nothing must be heard before it counts as silence, milliseconds. */
const SILENCE_MS = 1_000;

test("a network is cut, held, deaf and restored", async ({ stage }) => {
  const { network } = await stage.visitor();
  expect(await health(network.url)).toBe("200");
  network.cut();
  expect(await health(network.url)).toBe("refused");
  network.restore();
  expect(await health(network.url)).toBe("200");
  network.hold();
  const late = fetch(`${network.url}/api/health`);
  expect(await health(network.url, SILENCE_MS)).toBe("silence");
  network.restore();
  expect((await late).status).toBe(200);
  network.deafen();
  const before = network.count("GET", "/api/health");
  expect(await health(network.url, SILENCE_MS)).toBe("silence");
  await expect.poll(() => network.count("GET", "/api/health"), "what is sent arrives").toBe(before + 1);
  network.restore();
  expect(await health(network.url)).toBe("200");
});

test("a cut ends connections that are open", async ({ stage }) => {
  const { network } = await stage.visitor();
  const socket = connect(Number(new URL(network.url).port), "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  network.cut();
  await gone;
});

test("handshakes and streams are refused", async ({ stage }) => {
  const { network } = await stage.visitor();
  const shake = () => {
    const socket = connect(Number(new URL(network.url).port), "127.0.0.1");
    socket.write(
      "GET /api/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n",
    );
    return new Promise<string>((resolve) =>
      socket.once("data", (bytes) => {
        resolve(String(bytes).split("\r\n")[0] ?? "");
        socket.destroy();
      }),
    );
  };
  expect(await shake()).toContain("101");
  network.webSockets = "refused";
  expect(await shake()).toContain("403");
  const stream = () => fetch(`${network.url}/api/sse`, { method: "POST", body: "{}" });
  expect((await stream()).status).not.toBe(502);
  network.streams = "refused";
  expect((await stream()).status).toBe(502);
});

test.describe("with a movable clock", () => {
  test.use({ hasMovableClock: true });
  test("a token ends when the server's clock is moved", async ({ stage }) => {
    const anna = await stage.account("Anna");
    expect(await anna.ask<{ id: string }>("GET", "/api/auth/me")).toMatchObject({ id: anna.id });
    stage.server.moveClock(3_600);
    await expect(anna.ask("GET", "/api/auth/me")).rejects.toThrow("401");
    await anna.signInAgain();
    expect(await anna.ask<{ id: string }>("GET", "/api/auth/me")).toMatchObject({ id: anna.id });
    // Killed and started again it keeps its time.
    await stage.server.kill();
    await stage.server.startAgain();
    expect(await anna.ask<{ id: string }>("GET", "/api/auth/me")).toMatchObject({ id: anna.id });
  });
});
