// One tab at a time: Web Locks where the page has them, a lease in `localStorage` where it has not (plain HTTP).
//
// Invariant: two tabs of one browser never do the same named thing at once; one that dies holds nobody up for long.

const LEASE_MS = 15_000;
const LOOK_MS = 60;

/** Does it while no other tab does anything of this name. */
export function exclusively<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const locks = globalThis.navigator?.locks;
  return locks ? (locks.request(name, work) as Promise<Result>) : leased(name, work);
}

async function leased<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const shelf = globalThis.localStorage as Storage | undefined;
  if (!shelf) return work();
  const key = `${name}.lease`;
  const own = String(Math.random());
  const holder = () => {
    const [who = "", until = "0"] = (shelf.getItem(key) ?? "").split(" ");
    return Number(until) > Date.now() ? who : "";
  };
  for (;;) {
    if (!holder()) {
      shelf.setItem(key, `${own} ${Date.now() + LEASE_MS}`);
      // Whoever wrote last has it; everybody who wrote in the same moment sees that after a pause.
      await pause(LOOK_MS);
      if (holder() === own) break;
    }
    await pause(LOOK_MS * (1 + Math.random()));
  }
  try {
    return await work();
  } finally {
    if (holder() === own) shelf.removeItem(key);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
