/** How long nothing may arrive before what has not is called lost, in milliseconds. */
const SILENCE = 20_000;

/** Until every count has reached `all`, or nothing has moved for a while: a backlog on a busy machine is no loss. */
export async function untilQuiet(counts: () => Promise<readonly number[]>, all: number): Promise<void> {
  let [last, movedAt] = ['', performance.now()];
  for (;;) {
    const now = await counts();
    if (now.every((count) => count >= all)) break;
    if (String(now) !== last) [last, movedAt] = [String(now), performance.now()];
    else if (performance.now() - movedAt > SILENCE) break;
    await sleep(250);
  }
  // What comes twice may still come.
  await sleep(500);
}

// Chaos is about moments: here, and only here, time is let pass.
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
