import { randomUUID } from 'node:crypto';
import type { ClientBase } from 'pg';
import { counted } from '../event/counted';
import { ExitCode, OperatorError } from '../event/errors';
import { beginBackfill, DEAD_AFTER, latestBackfill, takeBackfill, type BackfillState, type BackfillSubject } from './backfill.sql';

/** Between two looks at one that may still live (ms). */
const LOOK_EVERY = 250;

export interface OpenOptions {
  /** Once more, where it was finished. */
  readonly again: boolean;
  readonly who: string;
  /** Rows to do. */
  readonly expected: number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

export interface OpenBackfill {
  readonly state: BackfillState;
  /** This process, as the others see it. */
  readonly run: string;
  readonly resumed: boolean;
}

/**
 * The backfill of this subject: the unfinished one where it was left, or a new one.
 *
 * @throws OperatorError when another process works on it, and when it was finished and nobody asked for it again
 */
export async function openBackfill(client: ClientBase, subject: BackfillSubject, options: OpenOptions): Promise<OpenBackfill> {
  const run = randomUUID();
  const latest = await latestBackfill(client, subject);
  if (latest?.state === 'unfinished') return { state: await goOn(client, latest, subject, run, options), run, resumed: true };
  if (latest?.state === 'finished' && !options.again) throw finished(subject, latest);
  const { who, expected } = options;
  const begun = await beginBackfill(client, subject, { id: randomUUID(), run, who, expected });
  if (begun === null) throw inUse();
  return { state: begun, run, resumed: false };
}

async function goOn(
  client: ClientBase,
  found: BackfillState,
  subject: BackfillSubject,
  run: string,
  { again, sleep }: OpenOptions,
): Promise<BackfillState> {
  if (again) {
    throw new OperatorError(
      `the backfill ${found.id} is not finished: there is nothing to do again yet`,
      `Leave --again out to go on with it, or end it: fraiseql-observers backfill cancel ${found.id}`,
    );
  }
  if (found.keys.join('\n') !== subject.keys.join('\n')) {
    throw new OperatorError(
      `the key of ${subject.table} was (${found.keys.join(', ')}) when the backfill ${found.id} began, and is (${subject.keys.join(', ')}) now: nobody knows which rows are done`,
      `End it and begin anew: fraiseql-observers backfill cancel ${found.id}`,
    );
  }
  let latest = found;
  // Whoever was killed has left its name there, and gives no sign of life.
  while (latest.run !== null && (latest.silentFor ?? Infinity) < DEAD_AFTER) {
    await sleep(LOOK_EVERY);
    const now = await latestBackfill(client, subject);
    if (now === null || now.id !== found.id || now.state !== 'unfinished' || (now.run !== null && now.seenAt !== found.seenAt))
      throw inUse();
    latest = now;
  }
  const taken = await takeBackfill(client, latest, run);
  if (taken === null) throw inUse();
  return taken;
}

function inUse(): OperatorError {
  return new OperatorError(
    'another process works on this backfill',
    'See how far it is: fraiseql-observers backfill list. It ends by Ctrl-C where it runs, or by backfill cancel ID.',
  );
}

function finished({ table, observers }: BackfillSubject, { id, startedAt, done }: BackfillState): OperatorError {
  return new OperatorError(
    `the backfill of ${table} for ${observers.join(', ')} is finished: ${id}, begun ${startedAt.slice(0, 19).replace('T', ' ')}, sent ${counted(done, 'row')}`,
    'To send all of them once more, add --again.',
    ExitCode.error,
  );
}
