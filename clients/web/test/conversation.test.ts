import type { Konvert, KonvertError, OutboxMessage, Room } from "@konvert/sdk";
import { describe, expect, it } from "vitest";
import { Desk, FILES_MAX } from "../src/model/conversation_desk";
import { Remarks } from "../src/model/conversation_remarks";

describe("remarks on their way", () => {
  const listeners = new Map<string, (value: never) => void>();
  const room = {
    pending: [],
    position: { epoch: 1, offset: 10 },
    on: (name: string, listener: (value: never) => void) => {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  } as unknown as Room;
  const dropped: string[] = [];
  const konvert = { drop: (key: string) => dropped.push(key) } as unknown as Konvert;
  const edit = (state: string, more: object = {}) => ({ key: "k", state, relation: { kind: "edit", offset: 3 }, ...more }) as OutboxMessage;
  const tell = (name: string, value: unknown) => listeners.get(name)?.(value as never);

  it("keeps them until they have arrived, not only until they are stored", () => {
    const remarks = new Remarks(konvert, room);
    remarks.open();
    tell("outbox", { key: "x", state: "waiting" });
    expect(remarks.waiting.value.size).toBe(0);
    tell("outbox", edit("waiting"));
    expect([...remarks.waiting.value.keys()]).toEqual([3]);
    tell("outbox", edit("stored", { published: { position: { epoch: 1, offset: 12 } } }));
    tell("message", { offset: 11 });
    expect(remarks.waiting.value.size).toBe(1);
    tell("message", { offset: 12 });
    expect(remarks.waiting.value.size).toBe(0);
  });

  it("drops what is refused, and tells why", () => {
    const remarks = new Remarks(konvert, room);
    remarks.open();
    tell("outbox", edit("waiting"));
    tell("outbox", edit("rejected", { error: { name: "bad_relation" } }));
    expect(remarks.waiting.value.size).toBe(0);
    expect(remarks.problem.value?.name).toBe("bad_relation");
    expect(dropped).toEqual(["k"]);
    remarks.forgive();
    expect(remarks.problem.value).toBe(null);
  });
});

describe("files for the next message", () => {
  interface Asked {
    readonly options: { resume?: string; signal: AbortSignal; onProgress(progress: { sentBytes: number; path: string }): void };
    answer(upload: { blob: string }): void;
    fail(error: Partial<KonvertError>): void;
  }
  const stage = () => {
    const asked: Asked[] = [];
    let state: (state: { name: string }) => void = () => {};
    const konvert = {
      on: (_name: string, listener: typeof state) => {
        state = listener;
        return () => {};
      },
      upload: (_file: File, options: Asked["options"]) => new Promise((answer, fail) => asked.push({ options, answer, fail })),
    } as unknown as Konvert;
    return { asked, desk: new Desk(konvert), connected: () => state({ name: "connected" }) };
  };
  const file = (name: string) => new File(["bytes"], name);
  const settled = () => new Promise((resolve) => setTimeout(resolve));

  it("are taken in the order they were chosen, whichever is there first", async () => {
    const { asked, desk } = stage();
    desk.add([file("a"), file("b")]);
    asked[1]?.answer({ blob: "B" });
    await settled();
    expect(desk.hindrance.value).toBe("uploading");
    asked[0]?.answer({ blob: "A" });
    await settled();
    expect(desk.hindrance.value).toBe(null);
    expect(desk.take().map(({ blob, name }) => blob + name)).toEqual(["Aa", "Bb"]);
    expect(desk.files.value).toEqual([]);
  });

  it("go on where they stopped when the connection is back", async () => {
    const { asked, desk, connected } = stage();
    const [attachment] = desk.add([file("a")]);
    asked[0]?.options.onProgress({ sentBytes: 3, path: "/api/blobs/uploads/7" });
    expect(attachment?.state.value).toEqual({ at: "uploading", sentBytes: 3 });
    asked[0]?.fail({ name: "http", temporary: true });
    await settled();
    expect(attachment?.state.value).toMatchObject({ at: "failed", isLasting: false });
    connected();
    expect(asked[1]?.options.resume).toBe("/api/blobs/uploads/7");
    asked[1]?.answer({ blob: "A" });
    await settled();
    expect(attachment?.state.value).toEqual({ at: "done", blob: "A" });
  });

  it("are not tried again by themselves when the server does not take them", async () => {
    const { asked, desk, connected } = stage();
    const [attachment] = desk.add([file("a")]);
    asked[0]?.fail({ name: "type_not_allowed", temporary: false });
    await settled();
    connected();
    expect([asked.length, desk.hindrance.value]).toEqual([1, "refused"]);
    if (attachment) desk.remove(attachment);
    expect([desk.files.value, desk.hindrance.value]).toEqual([[], null]);
  });

  it("are as many as a message takes, and end with it when they are left out", () => {
    const { asked, desk } = stage();
    desk.add(Array.from({ length: FILES_MAX + 1 }, (_, i) => file(String(i))));
    expect([desk.files.value.length, desk.isTooMany.value]).toEqual([FILES_MAX, true]);
    const [first] = desk.files.value;
    if (first) desk.remove(first);
    expect([desk.files.value.length, desk.isTooMany.value, asked[0]?.options.signal.aborted]).toEqual([FILES_MAX - 1, false, true]);
  });
});
