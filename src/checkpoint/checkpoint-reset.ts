import type { ClientBase } from 'pg';
import {
  adoptChanges,
  closeForeignPeriods,
  countMoved,
  isForeign,
  readPlace,
  writeReset,
  type Moved,
  type StoredCheckpoint,
} from './checkpoint-reset.sql';
import { BEGINNING, type Cursor, type Snapshot } from './cursor';

/** Where a stream is to go on: behind all that is committed now, before everything, or at an event. */
export type ResetTarget = { readonly to: 'now' } | { readonly to: 'beginning' } | { readonly to: 'event'; readonly change: number };

/** What a reset would do, or did. */
export interface ResetPlan extends Moved {
  readonly from: StoredCheckpoint | null;
  readonly cursor: Cursor;
}

/** Changes that get another transaction in one go: a tenth of a second. */
const BATCH = 5_000;

/** The place of a target, when `now` is what is visible. */
function cursorOf(target: ResetTarget, now: Snapshot): Cursor {
  if (target.to === 'now') return { previous: now, target: null, after: 0 };
  if (target.to === 'beginning') return BEGINNING;
  // A window that holds all that is visible, of which everything before the event is read: the event comes next, and what is not
  // committed yet comes behind this window, whatever its number.
  return { previous: BEGINNING.previous, target: now, after: target.change - 1 };
}

/** Changes nothing. @param retention milliseconds for which attempts are kept */
export async function planReset(client: ClientBase, stream: string, target: ResetTarget, retention: number): Promise<ResetPlan> {
  const { checkpoint: from, now } = await readPlace(client, stream);
  const cursor = cursorOf(target, now);
  return { from, cursor, ...(await countMoved(client, from, cursor, retention)) };
}

export interface ResetRequest {
  readonly stream: string;
  /** Epoch of the lease that the caller holds, so that no service reads meanwhile. */
  readonly epoch: number;
  readonly target: ResetTarget;
  /** As the person wrote it. */
  readonly asked: string;
  readonly by: string;
  readonly reason: string | null;
  readonly retention: number;
}

/** @returns null when the lease was lost meanwhile: the checkpoint is where it was */
export async function performReset(client: ClientBase, request: ResetRequest): Promise<ResetPlan | null> {
  const { stream, target, retention } = request;
  // Before the place is taken, each batch in a transaction of its own: then they are visible in it.
  const foreign = isForeign((await readPlace(client, stream)).checkpoint);
  while (foreign && (await adoptChanges(client, BATCH)) > 0);
  await client.query('begin');
  try {
    const plan = await planReset(client, stream, target, retention);
    if (foreign) await closeForeignPeriods(client, stream);
    const { from, cursor: to, skipped, readAgain, onRecord, forgotten } = plan;
    const written = await writeReset(client, { ...request, from, to, moved: { skipped, readAgain, onRecord, forgotten } });
    await client.query(written ? 'commit' : 'rollback');
    return written ? plan : null;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
