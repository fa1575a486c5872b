import { pooledTransaction } from '../database/transaction';
import type { ClientBase, Pool } from 'pg';
import { passed } from '../checkpoint/config-period.sql';
import type { Cursor } from '../checkpoint/cursor';
import type { Fence } from '../delivery/ledger.sql';
import type { Arrangement } from './arrangement';
import type { Inherited } from './job-queue';
import { Pauses } from '../delivery/pauses';
import { holdPaused, readPausedNames, releaseResumed } from '../delivery/pauses.sql';
import { giveHeads, markStrictLanes } from '../delivery/strict-lanes.sql';

/**
 * For a new leader: takes back what earlier ones had under way, and arranges it as the configuration says.
 *
 * @param checkpoint from where the reader goes on
 * @throws what the database failed with, and when another instance leads by now; then nothing has changed
 */
export async function takeOverPending(
  pool: Pool,
  { stream, epoch }: Pick<Fence, 'stream' | 'epoch'>,
  checkpoint: Cursor,
  order: Arrangement,
): Promise<Inherited> {
  return pooledTransaction(pool, 'begin', async (client) => {
    const inherited = await takeOver(client, stream, checkpoint, order);
    await requireLeading(client, stream, epoch);
    return inherited;
  });
}

/** Within a transaction, as its last statement: while it is locked the lease can neither be renewed nor taken. @throws when it was taken */
export async function requireLeading(client: ClientBase, stream: string, epoch: number): Promise<void> {
  const { rowCount } = await client.query('select from observers.lease where stream = $1 and epoch = $2 for share', [stream, epoch]);
  if (rowCount !== 1) throw new Error('another instance leads by now');
}

async function takeOver(client: ClientBase, stream: string, checkpoint: Cursor, order: Arrangement): Promise<Inherited> {
  const paused = await readPausedNames(client, stream);
  await forgetUntriedBeyond(client, stream, checkpoint);
  await client.query(RECLAIM, [stream]);
  await releaseResumed(client, stream, paused);
  const blocked = await arrange(client, stream, order);
  await giveHeads(client, stream);
  await holdPaused(client, stream, paused);
  return { backlogged: await readBacklogged(client, stream), blocked, pauses: new Pauses(paused) };
}

// The reader comes to every change beyond the checkpoint once more, in order, and some of their deliveries were only in memory. What it finds
// on record it passes over, so a later delivery that stands here would go before an earlier one that does not. Of what was never tried nothing
// is lost with its row: the reader finds it as it found it the first time. What was tried stays: whatever comes before it in its lane
// was on record before it began. Nor does it concern what people asked for (a redrive, a replay): it has no turn. What has waited for its time was
// on record from the first, in the order of its changes, and may stand for others.
//
// The least change that a snapshot does not see has a transaction from its xmin on; found by the index on change_xid, as the reader's floor is.
const FORGET = `
  with c as materialized (
    select $2::pg_snapshot as previous, $3::pg_snapshot as target, $4::bigint as after
  ), floor as materialized (
    select min(pk) as number from (
      select pk_entity_change_log as pk from core.tb_entity_change_log where change_xid >= pg_snapshot_xmin($2::pg_snapshot) offset 0) q
  )
  delete from observers.pending_delivery p using core.tb_entity_change_log l, c
  where p.stream = $1 and p.change_number >= (select number from floor) and l.pk_entity_change_log = p.change_number and not ${passed('c', 'l')}
    and (p.state in ('queued', 'waiting', 'running') or p.state = 'paused' and p.next_attempt_at = '-infinity')
    and not p.redrive and p.attempt = 1 and p.due_at is null
    and not exists (select from observers.attempt a where a.change_number = p.change_number and a.observer = p.observer and a.action = p.action)
    and not exists (select from observers.dead_letter d where d.change_number = p.change_number and d.observer = p.observer and d.action = p.action)`;

async function forgetUntriedBeyond(client: ClientBase, stream: string, { previous, target, after }: Cursor): Promise<void> {
  await client.query(FORGET, [stream, previous, target, after]);
}

// A running delivery of an earlier epoch belongs to a process that is dead or fenced off. It keeps its turn.
const RECLAIM = `
  update observers.pending_delivery set state = 'queued', claimed_by = null, claimed_until = null, next_attempt_at = '-infinity'
  where stream = $1 and state = 'running'`;

// What waits for an action goes where the action goes now, or it would be overtaken there by what comes later. A branch (`web push: https://…`)
// is where its endpoint is.
const REHOME = `
  update observers.pending_delivery p set endpoint = h.endpoint
  from unnest($2::text[], $3::text[], $4::text[]) as h(observer, action, endpoint)
  where p.stream = $1 and p.observer = h.observer and p.action = h.action and split_part(p.endpoint, ': ', 1) <> h.endpoint
    and p.state <> 'running' and p.config_version is null`;

async function arrange(client: ClientBase, stream: string, { homes, strict }: Arrangement): Promise<string[]> {
  const names = [homes.map(({ observer }) => observer), homes.map(({ action }) => action), homes.map(({ endpoint }) => endpoint)];
  await client.query(REHOME, [stream, ...names]);
  return markStrictLanes(client, stream, strict);
}

async function readBacklogged(client: ClientBase, stream: string): Promise<string[]> {
  const { rows } = await client.query<{ endpoint: string }>(
    "select distinct endpoint from observers.pending_delivery where stream = $1 and state = 'queued'",
    [stream],
  );
  return rows.map(({ endpoint }) => endpoint);
}

/**
 * For a leader whose configuration changes: the same, with what is under way left alone. No lane is given a head: the one that it has may be in
 * memory, or on its way here.
 */
export async function rearrangePending(
  client: ClientBase,
  stream: string,
  order: Arrangement,
  paused: readonly string[],
): Promise<Pick<Inherited, 'backlogged' | 'blocked'>> {
  const blocked = await arrange(client, stream, order);
  await holdPaused(client, stream, paused);
  return { backlogged: await readBacklogged(client, stream), blocked };
}
