// A bot that answers in a room, word by word, as an assistant streams its answer.
//
// From clients/js, each line as it stands; the server in a terminal of its own:
//
//   npm ci && npm run build
//   konvert serve
//   TOKEN="$(konvert token --user bot --name Bot --room lobby)" node examples/bot/bot.mjs http://127.0.0.1:3001 lobby
//
// It keeps what it has read and what it has yet to say in ./bot-data: killed at any moment, it answers every question
// once when it is started again.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { FileStore, Konvert } from "@konvert/sdk";

const [url = "http://127.0.0.1:3001", name = "lobby", data = "bot-data"] = process.argv.slice(2);
mkdirSync(data, { recursive: true });
const konvert = new Konvert(url, { token: process.env.TOKEN ?? "", store: new FileStore(`${data}/outbox`) });
const room = konvert.room(name);

konvert.on("state", ({ name, reason }) => console.log(name, reason ? `(${reason.name})` : ""));
konvert.on("warning", (warning) => console.warn(warning.message));

/** Questions are answered one after the other. */
let work = Promise.resolve();
room.on("message", (message) => {
  const isQuestion = message.sender !== konvert.user && message.kind === "message" && !message.erased && !message.relation;
  if (isQuestion) work = work.then(() => answer(message));
  work = work.then(() => remember(message.position)).catch((error) => console.error(error.message));
});
await room.subscribe(recall());
console.log(`listening in ${name}`);
process.once("SIGINT", async () => {
  await konvert.close();
  process.exit(0);
});

/** Begins a message, then adds to it. The ids follow from the question: doing it again changes nothing. */
async function answer({ offset, text }) {
  const id = (part) => `answer-${offset}-${part}`;
  const words = `You said: ${text}`.match(/\S+\s*/g) ?? [];
  const { position } = await room.reply(offset, words[0] ?? "", { messageId: id(0) });
  for (let i = 1; i < words.length; i++) await room.append(position.offset, words[i], { messageId: id(i) });
}

function recall() {
  try {
    return { since: JSON.parse(readFileSync(`${data}/position`, "utf8")) };
  } catch {
    return {};
  }
}

function remember(position) {
  writeFileSync(`${data}/position.new`, JSON.stringify(position));
  renameSync(`${data}/position.new`, `${data}/position`);
}
