// Waiting for a condition, with a deadline, instead of sleeping and hoping.

/** How often a condition is looked at, milliseconds. */
const EVERY_MS = 20;

/** Waits until a condition holds; what it is called is told when it never does. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
