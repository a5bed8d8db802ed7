// Files against the real server: over connections that break, servers that die, people who change their mind.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Konvert, type KonvertOptions, type UploadOptions } from "../src/node/index.js";
import { Cable } from "./support/cable.js";
import { hasServer, Server, until } from "./support/server.js";

const MIB = 1024 * 1024;
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!hasServer)("with a server", () => {
  let server: Server;
  let cable: Cable;
  const open: Konvert[] = [];

  beforeAll(async () => {
    server = await Server.start();
  });
  beforeEach(async () => {
    cable = await Cable.to(server.url);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((konvert) => konvert.close()));
    await cable.end();
  });
  afterAll(() => server?.remove());

  function as(user: string, options: KonvertOptions = {}): Konvert {
    const konvert = new Konvert(cable.url, { token: server.token(user), connect: false, ...options });
    open.push(konvert);
    return konvert;
  }

  /** Uploads, and notes every step of the progress. */
  function follow(konvert: Konvert, file: Uint8Array | Blob, options: UploadOptions = {}) {
    const steps: number[] = [];
    const path = { known: "" };
    const done = konvert.upload(file, {
      ...options,
      onProgress: (progress) => {
        steps.push(progress.sentBytes);
        path.known = progress.path;
        options.onProgress?.(progress);
      },
    });
    return { steps, path, done };
  }

  /** The file as the server hands it out; its status where it does not. */
  async function fetched(user: string, blob: string): Promise<string | number> {
    const headers = { authorization: `Bearer ${server.token(user, "files=read")}` };
    const response = await fetch(`${server.url}/api/blobs/${blob}`, { headers });
    return response.ok ? sha(new Uint8Array(await response.arrayBuffer())) : response.status;
  }

  test("a file arrives piece by piece, under its hash, and opens with the message it belongs to", async () => {
    const anna = as("anna");
    const file = randomBytes(3 * MIB + 1);
    const { steps, done } = follow(anna, new Blob([file]), { name: "ü.bin", type: "application/octet-stream" });
    expect(await done).toMatchObject({ blob: sha(file), sizeBytes: file.length });
    expect(steps).toEqual([0, MIB, 2 * MIB, 3 * MIB, file.length]);
    expect(await fetched("anna", sha(file))).toBe(sha(file));
    expect(await fetched("boris", sha(file))).toBe(404);
    anna.connect();
    await anna.room("files").publish("for you", { blobs: [sha(file)] });
    // Who may read it is read from the journal, a moment behind the acknowledgement.
    await until(async () => (await fetched("boris", sha(file))) === sha(file), "the message opens the file");
    // The same bytes again are the same file.
    expect((await anna.upload(file)).blob).toBe(sha(file));
  });

  test("the shortest file has one byte", async () => {
    const file = new Uint8Array(1);
    expect((await as("anna").upload(file)).blob).toBe(sha(file));
    await expect(as("anna").upload(new Uint8Array(0))).rejects.toMatchObject({ status: 400, name: "bad_request" });
  });

  test("cut in the middle of a piece, it goes on where the server stands, not from the beginning", async () => {
    const file = randomBytes(4 * MIB);
    const { steps, done } = follow(as("anna"), file, { chunkBytes: 2 * MIB });
    cable.cutAfter(3 * MIB, true);
    // Nobody comes back before the server has written what arrived, or it would stand elsewhere a moment later.
    const heads = 16 * 1024;
    await until(() => server.staged().some((bytes) => bytes > 3 * MIB - heads), "what arrived is written");
    expect(cable.wasCut).toBe(true);
    cable.mend();
    expect((await done).blob).toBe(sha(file));
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    // What had arrived of the second piece was kept: nothing is sent twice but what was on its way into the cut.
    expect(cable.bytes).toBeLessThan(4.2 * MIB);
    expect(await fetched("anna", sha(file))).toBe(sha(file));
  });

  test("the server is killed in the middle, and started again", async () => {
    const file = randomBytes(4 * MIB);
    let kill: Promise<void> | null = null;
    const { steps, done } = follow(as("anna"), file, {
      chunkBytes: MIB,
      onProgress: ({ sentBytes }) => {
        if (sentBytes >= 2 * MIB) kill ??= server.kill().then(() => server.restart());
      },
    });
    expect((await done).blob).toBe(sha(file));
    await kill;
    expect(kill).not.toBeNull();
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(await fetched("anna", sha(file))).toBe(sha(file));
  });

  test("given up in the middle of a piece, it ends at once; another session goes on, and nobody else", async () => {
    const file = randomBytes(4 * MIB);
    const controller = new AbortController();
    // Of the second piece there is no word, however quick it is.
    const onProgress = ({ sentBytes }: { sentBytes: number }) => void (sentBytes === MIB && cable.deafen());
    const first = follow(as("anna"), file, { chunkBytes: MIB, signal: controller.signal, onProgress });
    await until(() => first.steps.includes(MIB), "the first piece is there");
    controller.abort();
    await expect(first.done).rejects.toMatchObject({ name: "aborted" });
    cable.mend();
    await expect(as("boris").upload(file, { resume: first.path.known })).rejects.toMatchObject({ status: 404 });
    const second = follow(as("anna"), file, { resume: first.path.known });
    expect((await second.done).blob).toBe(sha(file));
    expect(second.steps[0]).toBeGreaterThanOrEqual(MIB);
    expect(second.steps[0]).toBeLessThan(file.length);
  });

  test("given up while it waits for the network, it ends at once", async () => {
    const controller = new AbortController();
    // A pause that never ends by itself.
    const after = () => {
      queueMicrotask(() => controller.abort());
      return () => {};
    };
    const pulled = { signal: controller.signal, onProgress: () => cable.pull() };
    const { done, path } = follow(as("anna", { platform: { after } }), randomBytes(2 * MIB), pulled);
    await expect(done).rejects.toMatchObject({ name: "aborted" });
    expect(path.known).toMatch(/^\/api\/blobs\//);
  });

  test("what is too long is refused before any of it is sent", async () => {
    const file = { size: 101 * MIB, slice: () => Promise.reject(new Error("nobody asks")) };
    await expect(as("anna").upload(file)).rejects.toMatchObject({ status: 413, temporary: false });
    expect(cable.bytes).toBeLessThan(MIB);
  });
});
