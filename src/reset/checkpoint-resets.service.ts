import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import {
  readPlace,
  readResets,
  adoptChanges,
  closeForeignPeriods,
  countMoved,
  isForeign,
  writeReset,
  type Place,
  type RecordedReset,
  type Moved,
  type StoredCheckpoint,
} from '../checkpoint/checkpoint-reset.sql';
import { BEGINNING, type Cursor, type Snapshot } from '../checkpoint/cursor';
import { Database } from '../database/database';
import { transaction } from '../database/transaction';
import { acquireLease, releaseLease } from '../ha/lease.sql';

export type { CheckpointState, Place, RecordedReset, StoredCheckpoint } from '../checkpoint/checkpoint-reset.sql';

/** Where a stream is to go on: behind all that is committed now, before everything, or at an event. */
export type ResetTarget = { readonly to: 'now' } | { readonly to: 'beginning' } | { readonly to: 'event'; readonly change: number };

/** What a reset would do, or did. */
export interface ResetPlan extends Moved {
  readonly from: StoredCheckpoint | null;
  readonly cursor: Cursor;
}

interface ResetRequest {
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

/** Milliseconds for which no service may begin to lead; it may at once when this process ends. */
const LEASE = 600_000;
/** Changes that get another transaction in one go: a tenth of a second. */
const BATCH = 5_000;

/** Where a stream stands, and moving it by hand. */
@Injectable()
export class CheckpointResets {
  constructor(private readonly database: Database) {}

  place(stream: string): Promise<Place> {
    return this.database.use((client) => readPlace(client, stream));
  }

  /** Those on record, newest first. */
  list(stream: string, limit: number): Promise<RecordedReset[]> {
    return this.database.use((client) => readResets(client, stream, limit));
  }

  /** Changes nothing. @param retention milliseconds for which attempts are kept */
  plan(stream: string, target: ResetTarget, retention: number): Promise<ResetPlan> {
    return this.database.use((client) => planReset(client, stream, target, retention));
  }

  /** @returns null when a service has begun to lead meanwhile: nothing was changed */
  perform(request: Omit<ResetRequest, 'epoch'>): Promise<ResetPlan | null> {
    return this.database.use((client) => leading(client, request, (epoch) => performReset(client, { ...request, epoch })));
  }
}

/** As a leader of its own for the moment, so that no service reads meanwhile, and a deposed one cannot write its place over ours. */
async function leading<T>(
  client: ClientBase,
  { stream, by }: Pick<ResetRequest, 'stream' | 'by'>,
  work: (epoch: number) => Promise<T>,
): Promise<T | null> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const epoch = await acquireLease(client, stream, `checkpoint reset by ${by}`, rows[0]?.pid ?? null, LEASE);
  if (epoch === null) return null;
  try {
    return await work(epoch);
  } finally {
    await releaseLease(client, stream, epoch).catch(() => undefined);
  }
}

/** The place of a target, when `now` is what is visible. */
function cursorOf(target: ResetTarget, now: Snapshot): Cursor {
  if (target.to === 'now') return { previous: now, target: null, after: 0 };
  if (target.to === 'beginning') return BEGINNING;
  // A window that holds all that is visible, of which everything before the event is read: the event comes next, and what is not
  // committed yet comes behind this window, whatever its number.
  return { previous: BEGINNING.previous, target: now, after: target.change - 1 };
}

/** Changes nothing. @param retention milliseconds for which attempts are kept */
async function planReset(client: ClientBase, stream: string, target: ResetTarget, retention: number): Promise<ResetPlan> {
  const { checkpoint: from, now } = await readPlace(client, stream);
  const cursor = cursorOf(target, now);
  return { from, cursor, ...(await countMoved(client, from, cursor, retention)) };
}

/** @returns null when the lease was lost meanwhile: the checkpoint is where it was */
async function performReset(client: ClientBase, request: ResetRequest): Promise<ResetPlan | null> {
  const { stream, target, retention } = request;
  // Before the place is taken, each batch in a transaction of its own: then they are visible in it.
  const foreign = isForeign((await readPlace(client, stream)).checkpoint);
  while (foreign && (await adoptChanges(client, BATCH)) > 0);
  const perform = async (): Promise<ResetPlan | null> => {
    const plan = await planReset(client, stream, target, retention);
    if (foreign) await closeForeignPeriods(client, stream);
    const { from, cursor: to, skipped, readAgain, onRecord, forgotten } = plan;
    const written = await writeReset(client, { ...request, from, to, moved: { skipped, readAgain, onRecord, forgotten } });
    return written ? plan : null;
  };
  return transaction(client, 'begin', perform, (plan) => plan !== null);
}
