// The suites about hostile servers as they are, and for each rule of the SDK the test that guards it, with that rule
// broken: `scripts/controls.mjs` runs them and wants each broken rule to be found. One that is not noticed would mean that
// the suites prove nothing.
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { type Broken, broken, WHOLE } from "./test/support/broken.js";

const project = ({ name, file, right, wrong, test, by, isSilence }: Broken): TestProjectInlineConfiguration => ({
  plugins: [
    {
      name: "broken",
      enforce: "pre",
      transform(code, id) {
        if (!id.endsWith(`/src/core/${file}`)) return null;
        if (code.split(right).length !== 2) throw new Error(`${file} has no such line, or more than one: ${right}`);
        return code.replace(right, wrong);
      },
    },
  ],
  // What never happens is not waited for as long as what must.
  test: { name, include: [`test/${test}.test.ts`], testTimeout: isSilence ? 6_000 : 120_000, env: { ONLY: by, SILENCE: isSilence ? "1" : "" } },
});

/** What fails here fails for another reason; a busy machine is none. */
const whole: TestProjectInlineConfiguration = { test: { name: WHOLE, include: ["test/hostile*.test.ts"], testTimeout: 120_000 } };

export default defineConfig({ test: { projects: [whole, ...broken.map(project)], maxWorkers: 2 } });
