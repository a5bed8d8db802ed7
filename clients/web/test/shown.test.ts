import type { FoldedMessage, OutboxMessage } from "@konvert/sdk";
import { describe, expect, it } from "vitest";
import { shownOf } from "../src/model/shown";
import { joinFiles, nameOf, splitFiles } from "../src/model/shown_files";
import { foldAt } from "../src/model/shown_fold";
import { mentioned, mentionsIn, typedName } from "../src/model/shown_mentions";

const blob = (n: number) => String(n).repeat(64);
const file = (name: string, width = 0, height = 0) => ({ name, width, height });

describe("files in a text", () => {
  it("splits what was joined", () => {
    for (const said of ["", "look", "two\nlines", "📎 not a file", "\n"]) {
      const files = [file("a (1).png", 640, 480), file("report.pdf")];
      const text = joinFiles(said, files);
      expect(splitFiles(text, [blob(1), blob(2)])).toEqual({
        said,
        files: [
          { blob: blob(1), ...file("a (1).png", 640, 480) },
          { blob: blob(2), ...file("report.pdf") },
        ],
      });
    }
  });

  it("shows a text as it is when it does not name all files", () => {
    const unnamed = { blob: blob(1), ...file("") };
    for (const text of ["file 0", "", "look\n📎 a\nand more"])
      expect(splitFiles(text, [blob(1)])).toEqual({ said: text, files: [unnamed] });
    expect(splitFiles("📎 a", [blob(1), blob(2)]).said).toBe("📎 a");
    expect(splitFiles("look\n📎 a", [])).toEqual({ said: "look\n📎 a", files: [] });
  });

  it("takes from a name what would break a line or turn it around, and the middle of an endless one", () => {
    expect(nameOf("plan\u202Efdp.exe\n")).toBe("planfdp.exe");
    const long = nameOf(`${"x".repeat(500)}.tar.gz`);
    expect(long.length).toBe(200);
    expect(long.endsWith(".tar.gz")).toBe(true);
    expect(splitFiles(joinFiles("", [file("a\nb")]), [blob(1)]).files[0]?.name).toBe("ab");
  });
});

describe("long texts", () => {
  it("folds many lines and many characters, and nothing that is nearly over", () => {
    expect(foldAt("short")).toBe(5);
    expect(foldAt("word ".repeat(200))).toBe(1_000);
    expect(foldAt("x\n".repeat(10))).toBe(20);
    expect(foldAt("x\n".repeat(100))).toBe(27);
    expect(foldAt("\n".repeat(2_000))).toBeLessThan(20);
    const end = foldAt("word ".repeat(10_000));
    expect(end).toBeLessThanOrEqual(1_200);
    expect("word ".repeat(10_000).charAt(end)).toBe(" ");
    expect(foldAt("x".repeat(1_250))).toBe(1_250);
  });

  it("tears no character apart", () => {
    const family = "👩‍👩‍👧‍👦";
    const end = foldAt(family.repeat(1_000));
    expect(end % family.length).toBe(0);
    expect(end).toBeGreaterThan(1_000);
  });
});

describe("mentions", () => {
  const people = [
    { id: "1", name: "Anna" },
    { id: "2", name: "Anna Petrova" },
    { id: "3", name: "Бо" },
  ];

  it("finds the longest name, and no part of a word", () => {
    const text = "Hey @Anna Petrova, @Anna and @Annabel! @Бо: ok, mail@Anna";
    const pieces = mentionsIn(text, people);
    expect(pieces.map(({ text }) => text).join("")).toBe(text);
    expect(pieces.flatMap(({ id }) => id ?? [])).toEqual(["2", "1", "3", "1"]);
    expect(mentioned(text, people)).toEqual(["2", "1", "3"]);
    expect(mentionsIn("@<b>x</b>", [])).toEqual([{ text: "@<b>x</b>" }]);
    expect(mentioned("@", [{ id: "4", name: "" }])).toEqual([]);
  });

  it("knows when somebody is being named", () => {
    expect(typedName("hi @an", 6)).toBe("an");
    expect(typedName("@", 1)).toBe("");
    expect(typedName("@anna pe", 8)).toBe("anna pe");
    expect(typedName("mail@example", 12)).toBe(null);
    expect(typedName("hi @an there", 6)).toBe("an");
    expect(typedName("hi", 2)).toBe(null);
  });
});

describe("what is on its way", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const item = {
    message: { messageId: "m", offset: 7, sender: "me", senderName: "Me", timeMs: 0, mentions: [], blobs: [blob(1)] },
    ...{ payload: bytes("said\n📎 a"), text: "said\n📎 a", edited: false, deleted: false, replyTo: 0 },
    reactions: [{ text: "👍", users: ["anna", "me"], offsets: [8, 9] }],
  } as unknown as FoldedMessage;
  const remark = (kind: string, offset: number, text = "") =>
    ({ payload: bytes(text), relation: { kind, offset } }) as unknown as OutboxMessage;

  it("shows an edit, a reaction and a reaction taken back before they are stored", () => {
    expect(shownOf(item, "me", [remark("edit", 7, "better\n📎 a")])).toMatchObject({ said: "better", isEdited: true, isChanging: true });
    expect(shownOf(item, "me", [remark("reaction", 7, "🎉")]).reactions).toEqual([
      ...item.reactions,
      { text: "🎉", users: ["me"], offsets: [0] },
    ]);
    expect(shownOf(item, "me", [remark("delete", 9)])).toMatchObject({
      isChanging: false,
      reactions: [{ text: "👍", users: ["anna"], offsets: [8] }],
    });
    expect(shownOf(item, "me", [remark("delete", 7)])).toMatchObject({ isDeleted: false, isChanging: true });
  });

  it("is the same object until something changes", () => {
    const plain = shownOf(item, "me");
    expect(shownOf(item, "me")).toBe(plain);
    const edit = remark("edit", 7, "better");
    const changed = shownOf(item, "me", [edit]);
    expect(changed).not.toBe(plain);
    expect(shownOf(item, "me", [edit])).toBe(changed);
    expect(shownOf(item, "me")).toEqual(plain);
  });
});
