// The negative controls of the suites about hostile servers: says of every broken rule who found it, and fails when
// nobody did, or when something is found where nothing is broken.
import { startVitest } from "vitest/node";

// A broken rule may leave a promise behind that nobody waits for.
const options = { config: "vitest.controls.config.ts", watch: false, reporters: [{}], dangerouslyIgnoreUnhandledErrors: true };
const vitest = await startVitest("test", [], options);
const results = new Map();
for (const module of vitest?.state.getTestModules() ?? []) {
  const tests = results.get(module.project.name) ?? [];
  results.set(module.project.name, [...tests, ...module.children.allTests()]);
}
const projects = vitest?.projects ?? [];
const isLate = (test) => test.result().errors?.every(({ message }) => message.startsWith("Test timed out"));
let missed = 0;
for (const { name, config } of projects) {
  const tests = results.get(name) ?? [];
  const isWhole = name === "nothing is broken";
  // Being late is no proof: a busy machine does that to right rules, too.
  const counts = (test) => isWhole || config.env.SILENCE || !isLate(test);
  const failed = tests.filter((test) => test.result().state === "failed" && counts(test)).map((test) => test.name);
  // A suite that did not even begin has found nothing, and proves nothing.
  const isRight = isWhole ? !failed.length && tests.some((test) => test.result().state === "passed") : failed.includes(config.env.ONLY);
  if (!isRight) missed++;
  const found = failed.length ? `found by "${failed[0]}"` : "nothing is found";
  console.log(`${isRight ? "" : "WRONG: "}${name}: ${found}`);
}
const wrong = missed ? `, ${missed} are wrong` : "";
console.log(`${projects.length - 1} broken rules${wrong}`);
await vitest?.close();
process.exit(projects.length > 1 && !missed ? 0 : 1);
