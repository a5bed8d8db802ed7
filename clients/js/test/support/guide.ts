// The guide, and the blocks of code in it.
import { readFileSync } from "node:fs";

export const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** Blocks in their order; what follows the language says how they run. */
export const blocks = [...readme.matchAll(/```(tsx?)(?: (\w+))?\n([\s\S]*?)```/g)].map(([, language = "", kind = "", code = ""], i) => ({
  language,
  kind,
  code,
  name: `block ${i + 1}: ${code.trim().split("\n")[0]}`,
}));
