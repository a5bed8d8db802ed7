// What is told of the connection when the device says that its network has gone.
import type { ConnectionState, Konvert } from "@konvert/sdk";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection } from "../src/model/connection";

describe("the connection", () => {
  let become: (state: ConnectionState) => void;
  let connection: Connection;
  const connected: ConnectionState = { name: "connected", session: "s", user: "u", transport: "websocket" };
  const waiting: ConnectionState = { name: "waiting", reason: { code: 3002, name: "no_answer", message: "" }, retryAtMs: 0, attempt: 1 };

  beforeEach(() => {
    vi.useFakeTimers();
    const konvert = {
      state: connected,
      on: (_: string, listener: typeof become) => {
        become = listener;
      },
    };
    connection = new Connection(konvert as unknown as Konvert);
  });
  afterEach(() => vi.useRealTimers());

  it("is not calm the moment the device has no network, whatever the socket has not noticed yet", () => {
    expect(connection.isCalm.value).toBe(true);
    connection.device(false);
    expect(connection.isCalm.value).toBe(false);
    connection.device(true);
    expect(connection.isCalm.value).toBe(true);
  });

  it("stays so while nothing is heard", () => {
    connection.device(false);
    become(waiting);
    vi.advanceTimersByTime(60_000);
    expect([connection.isCalm.value, connection.isDeviceOnline.value]).toEqual([false, false]);
    connection.device(true);
    expect([connection.isCalm.value, connection.isDeviceOnline.value]).toEqual([false, true]);
    become(connected);
    expect(connection.isCalm.value).toBe(true);
  });

  it("believes a connection that lives more than a device that says there is none", () => {
    connection.device(false);
    vi.advanceTimersByTime(60_000);
    expect(connection.isCalm.value).toBe(true);
    become(waiting);
    connection.device(false);
    become(connected);
    expect(connection.isCalm.value).toBe(true);
  });
});
