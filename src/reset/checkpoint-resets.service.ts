import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { performReset, planReset, type ResetPlan, type ResetRequest, type ResetTarget } from '../checkpoint/checkpoint-reset';
import { readPlace, readResets, type Place, type RecordedReset } from '../checkpoint/checkpoint-reset.sql';
import { Database } from '../database/database';
import { acquireLease, releaseLease } from '../ha/lease.sql';

export type { CheckpointState, Place, RecordedReset, StoredCheckpoint } from '../checkpoint/checkpoint-reset.sql';

/** Milliseconds for which no service may begin to lead; it may at once when this process ends. */
const LEASE = 600_000;

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
