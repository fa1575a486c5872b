import type { Database } from '../database/database';
import { isLocked } from '../database/postgres';
import { transaction } from '../database/transaction';
import type { Chore, Removed } from './chores';
import type { Removable } from './policy';

/** Somebody has the table: so often it is tried again in a sweep, after so many milliseconds. */
const TRIES = 25;
const TRY_AGAIN = 200;

/**
 * Rows of one transaction: so that it takes between 25 and 100 ms, whatever the machine and the size of the rows. Not fewer than 200: on a machine that is overloaded
 * most of the time is that of a commit, and smaller ones would only be more of them.
 */
const BATCH = { first: 500, least: 200, most: 2_000 };
const QUICK = 25;
const SLOW = 100;

/** What a sweep asks and tells. */
export interface SweepControl {
  readonly stopped: () => boolean;
  /** So many times as long as a transaction took nothing is done, so that deliveries and writers do not notice. */
  readonly rests: () => number;
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly removed: (table: Removable, count: number) => void;
  /** One chore failed, and the others go on; what this throws ends the sweep. */
  readonly failed: (table: Removable, error: unknown) => void;
}

/** One chore after the other, in short transactions: whoever is killed in the middle has lost nothing, and the next sweep goes on. @returns whether it came to its end */
export async function sweep(database: Database, chores: readonly Chore[], control: SweepControl): Promise<boolean> {
  for (const chore of chores) {
    try {
      if (!(await finish(database, chore, control))) return false;
    } catch (error) {
      control.failed(chore.table, error);
    }
  }
  return true;
}

async function finish(database: Database, chore: Chore, control: SweepControl): Promise<boolean> {
  let batch = BATCH.first;
  let tries = 0;
  while (!control.stopped()) {
    const began = performance.now();
    const step = await attempt(database, chore, batch, ++tries);
    if (step === null) {
      await control.pause(TRY_AGAIN);
      continue;
    }
    tries = 0;
    const took = performance.now() - began;
    if (step.removed > 0) control.removed(chore.table, step.removed);
    if (!step.more) return true;
    batch = sized(batch, took);
    await control.pause(took * control.rests());
  }
  return false;
}

/** @returns null when somebody has the table for the moment */
function attempt(database: Database, chore: Chore, batch: number, tries: number): Promise<Removed | null> {
  return database.use(async (client) => {
    try {
      return await transaction(client, chore.begin, () => chore.step(client, batch));
    } catch (error) {
      if (!isLocked(error) || tries >= TRIES) throw error;
      return null;
    }
  });
}

function sized(batch: number, took: number): number {
  if (took > SLOW) return Math.max(BATCH.least, Math.floor(batch / 2));
  return took < QUICK ? Math.min(BATCH.most, Math.floor(batch * 1.5)) : batch;
}
