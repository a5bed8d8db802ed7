// A program that publishes numbers and may be killed at any moment: it goes on with the number after the last that it
// put into its outbox, and tells every ack on its standard output.
import { readFileSync, writeFileSync } from "node:fs";
import { FileStore, Konvert } from "../../src/node/index.js";

const [, , url = "", path = "", total = "0"] = process.argv;
const konvert = new Konvert(url, { token: process.env.TOKEN ?? "", store: new FileStore(path) });
const counter = `${path}.next`;
let next = 0;
try {
  next = Number(readFileSync(counter, "utf8"));
} catch {
  // The first run.
}
konvert.on("outbox", ({ state }) => state === "stored" && process.stdout.write("stored\n"));
await konvert.ready();
while (next < Number(total)) {
  // The id says which number this is: said twice it is still stored once.
  void konvert.room("r").publish(String(next), { messageId: `number-${next}` });
  next++;
  // No more than a few are on their way, and a number counts as said when the outbox has it.
  while (konvert.outbox.length > 10) await konvert.once("outbox", ({ state }) => state === "stored");
  await konvert.flushed();
  writeFileSync(counter, String(next));
}
while (konvert.outbox.length) await konvert.once("outbox", ({ state }) => state === "stored");
await konvert.close();
