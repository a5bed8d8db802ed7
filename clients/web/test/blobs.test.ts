import { type Api, ApiError } from "@konvert/sdk";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Blobs } from "../src/conversation/blobs";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INFO = { id: "hash", size_bytes: 3, type: "text/plain" };

/** A server that answers so, one answer after the other; the last one again and again. */
function asking(...statuses: number[]) {
  const asked: string[] = [];
  const get = async (path: string) => {
    asked.push(path);
    const status = statuses[Math.min(asked.length, statuses.length) - 1] ?? 200;
    if (status !== 200) throw new ApiError(status, {}, 0);
    return INFO;
  };
  const raw = async (_: string, path: string) => {
    asked.push(path);
    return new Response("abc");
  };
  return { blobs: new Blobs({ get, raw } as unknown as Api), asked };
}

it("asks again for a file that the server opens a moment after the message", async () => {
  const { blobs, asked } = asking(404, 404, 200);
  const [one, two] = [blobs.info("hash"), blobs.info("hash")];
  await vi.advanceTimersByTimeAsync(1_250);
  expect([await one, await two]).toEqual([INFO, INFO]);
  expect(asked).toEqual(Array(3).fill("/api/blobs/hash/info"));
});

it("says that a file is gone when it stays so, and then asks anew for whoever looks again", async () => {
  const { blobs, asked } = asking(404, 404, 404, 404, 200);
  const failed = expect(blobs.info("hash")).rejects.toMatchObject({ status: 404 });
  await vi.advanceTimersByTimeAsync(4_250);
  await failed;
  expect(asked.length).toBe(4);
  expect(await blobs.info("hash")).toEqual(INFO);
});

it("does not ask again where that is of no use", async () => {
  const { blobs, asked } = asking(403);
  await expect(blobs.info("hash")).rejects.toMatchObject({ status: 403 });
  expect(asked.length).toBe(1);
});

it("fetches a file once it is opened", async () => {
  const { blobs, asked } = asking(404, 200);
  const address = blobs.hold("hash");
  await vi.advanceTimersByTimeAsync(250);
  expect(await address).toMatch(/^blob:/);
  expect(asked).toEqual(["/api/blobs/hash/info", "/api/blobs/hash/info", "/api/blobs/hash"]);
});
