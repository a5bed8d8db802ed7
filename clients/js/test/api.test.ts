// REST and uploads against a server that refuses, breaks off and forgets.
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiError, Konvert } from "../src/index.js";
import { HttpFront } from "./support/http.js";

let front: HttpFront;
let konvert: Konvert;

beforeEach(async () => {
  front = await HttpFront.start();
  konvert = new Konvert(front.url, { connect: false, getToken: ({ reason }) => (reason === "refused" ? "fresh" : "stale") });
});
afterEach(async () => {
  await konvert.close();
  await front.stop();
});

describe("api", () => {
  test("sends the token, JSON and a query, and replaces a refused token once", async () => {
    const seen: string[] = [];
    front.rest = (request, body, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      if (request.headers.authorization !== "Bearer fresh") return response.writeHead(401).end();
      response.writeHead(200, { "content-type": "application/json" }).end('{"id":7}');
    };
    expect(await konvert.api.post("/api/dialogs", { title: "Ü" }, { query: { a: "x y", b: undefined, c: 1 } })).toEqual({ id: 7 });
    expect(seen).toEqual([
      'POST /api/dialogs?a=x%20y&c=1 Bearer stale {"title":"Ü"}',
      'POST /api/dialogs?a=x%20y&c=1 Bearer fresh {"title":"Ü"}',
    ]);
    expect(await konvert.api.get<{ id: number }>("/api/dialogs/7")).toEqual({ id: 7 });
    for (const method of ["put", "patch", "delete"] as const) await konvert.api[method]("/api/x");
    expect(seen.slice(3).map((line) => line.split(" ")[0])).toEqual(["PUT", "PATCH", "DELETE"]);
  });

  test("a late refusal of the token before does not cost the new one", async () => {
    let tokens = 0;
    const many = new Konvert(front.url, { connect: false, getToken: () => `token${++tokens}` });
    const late: (() => void)[] = [];
    front.rest = (request, _, response) => {
      if (request.headers.authorization !== "Bearer token1") return response.writeHead(200).end("{}");
      const refuse = () => response.writeHead(401).end();
      // Both are on their way with the same token; the second is refused only when the first has its new one.
      if (request.url === "/api/late") late.push(refuse);
      else refuse();
    };
    const second = many.api.get("/api/late");
    await many.api.get("/api/first");
    for (const refuse of late) refuse();
    await second;
    expect(tokens).toBe(2);
    await many.close();
  });

  test("problems are typed errors; an empty answer is nothing; abort ends it", async () => {
    front.rest = (request, _, response) => {
      if (request.method === "DELETE") return response.writeHead(204).end();
      const problem = { type: "about:blank", title: "Conflict", status: 409, detail: "Taken.", name: "name_taken", code: 412 };
      response.writeHead(409, { "content-type": "application/problem+json", "retry-after": "3" }).end(JSON.stringify(problem));
    };
    const error: ApiError = await konvert.api.get<never>("/api/x").catch((reason) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 409, name: "name_taken", code: 412, message: "Taken.", retryAfterMs: 3_000, temporary: false });
    expect(error.problem.title).toBe("Conflict");
    expect(await konvert.api.delete("/api/x")).toBeUndefined();
    const controller = new AbortController();
    front.rest = () => {};
    const endless = konvert.api.get("/api/x", { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(endless).rejects.toMatchObject({ name: "aborted" });
    await front.stop();
    await expect(konvert.api.get("/api/x")).rejects.toMatchObject({ name: "http", temporary: true });
  });
});

describe("upload", () => {
  /** tus, with a connection that breaks in the middle of every third piece, after half of it has arrived. */
  function tus(): { stored: Map<string, Buffer>; metadata: string[] } {
    const stored = new Map<string, Buffer>();
    const lengths = new Map<string, number>();
    const metadata: string[] = [];
    const nameOf = (path: string, held: Buffer) => (held.length === lengths.get(path) ? { "konvert-blob": sha(held) } : {});
    let pieces = 0;
    front.rest = (request, body, response) => {
      const path = request.url ?? "";
      const held = stored.get(path);
      if (request.headers["tus-resumable"] !== "1.0.0") return response.writeHead(412).end();
      if (request.method === "POST") {
        const made = `/api/blobs/${stored.size + 1}`;
        stored.set(made, Buffer.alloc(0));
        lengths.set(made, Number(request.headers["upload-length"]));
        metadata.push(String(request.headers["upload-metadata"]));
        return response.writeHead(201, { location: made }).end();
      }
      if (!held) return response.writeHead(404).end();
      if (request.method === "HEAD") return response.writeHead(200, { "upload-offset": held.length, ...nameOf(path, held) }).end();
      if (Number(request.headers["upload-offset"]) !== held.length) return response.writeHead(409).end();
      const breaks = ++pieces % 3 === 0;
      const taken = Buffer.concat([held, breaks ? body.subarray(0, body.length / 2) : body]);
      stored.set(path, taken);
      if (breaks) return request.socket.destroy();
      response.writeHead(204, { "upload-offset": taken.length, ...nameOf(path, taken) }).end();
    };
    return { stored, metadata };
  }

  const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  test("arrives whole over a connection that breaks, with progress that never goes back", async () => {
    const { stored, metadata } = tus();
    const file = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
    const progress: number[] = [];
    const done = await konvert.upload(file, {
      name: "ü.bin",
      type: "application/octet-stream",
      chunkBytes: 9_000,
      onProgress: ({ sentBytes }) => progress.push(sentBytes),
    });
    expect(done).toEqual({ path: "/api/blobs/1", blob: sha(file), sizeBytes: 100_000 });
    expect(sha(stored.get(done.path) ?? new Uint8Array())).toBe(sha(file));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.at(-1)).toBe(100_000);
    expect(metadata).toEqual([
      `filename ${Buffer.from("ü.bin").toString("base64")},filetype ${Buffer.from("application/octet-stream").toString("base64")}`,
    ]);
  });

  test("goes on where it stopped, in another session", async () => {
    const { stored } = tus();
    const file = new Blob(["0123456789".repeat(1_000)]);
    const controller = new AbortController();
    let path = "";
    const first = konvert.upload(file, {
      chunkBytes: 1_000,
      signal: controller.signal,
      onProgress: (progress) => {
        path = progress.path;
        if (progress.sentBytes >= 3_000) controller.abort();
      },
    });
    await expect(first).rejects.toMatchObject({ name: "aborted" });
    const had = stored.get(path)?.length ?? 0;
    expect(had).toBeGreaterThanOrEqual(3_000);
    expect(had).toBeLessThan(10_000);
    const sent: number[] = [];
    await konvert.upload(file, { chunkBytes: 5_000, resume: path, onProgress: ({ sentBytes }) => sent.push(sentBytes) });
    expect(sent[0]).toBe(had);
    expect(stored.get(path)?.toString()).toBe("0123456789".repeat(1_000));
  });

  test("a server that does not move on is given up; one that sends us elsewhere is not followed", async () => {
    let asked = 0;
    front.rest = (request, _, response) => {
      asked++;
      if (request.method === "POST") return response.writeHead(201, { location: "/api/blobs/1" }).end();
      response.writeHead(request.method === "HEAD" ? 200 : 204, { "upload-offset": "0" }).end();
    };
    const impatient = new Konvert(front.url, { connect: false, token: "t", platform: { random: () => 0 } });
    await expect(impatient.upload(new Uint8Array(10))).rejects.toMatchObject({ name: "upload_failed" });
    expect(asked).toBeLessThan(20);
    front.rest = (_, __, response) => response.writeHead(201, { location: "https://elsewhere.example/1" }).end();
    await expect(impatient.upload(new Uint8Array(10))).rejects.toMatchObject({ name: "upload_failed" });
    await impatient.close();
  });
});
