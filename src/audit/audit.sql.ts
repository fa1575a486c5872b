import type { ClientBase } from 'pg';
import type { Cursor } from '../checkpoint/cursor';
import { passedOverBy } from '../checkpoint/checkpoint-reset.sql';
import { passed, versionOf } from '../checkpoint/config-period.sql';

/** What an audit is made over. */
export interface AuditRange {
  readonly stream: string;
  /** Written then or later, RFC 3339; null: as far back as attempts are kept. */
  readonly since: string | null;
  /** Milliseconds for which attempts are kept: before that, nothing can be proved. */
  readonly retention: number;
}

export interface AuditedChange {
  readonly number: number;
  /** Null: it was decided before versions were recorded. */
  readonly version: number | null;
  /** A person moved the checkpoint past it: no observer was asked. */
  readonly passedOver: boolean;
  /** Not null: in quarantine, or it was. */
  readonly quarantine: 'open' | 'resolved' | null;
}

// By the primary key, page after page, of what the stream had passed. Rows without a transaction are history from before us.
const CHANGES = `
  with e as (select $2::pg_snapshot as previous, $3::pg_snapshot as target, $4::bigint as after)
  select l.pk_entity_change_log::float8 as number, ${versionOf('$1', 'l')} as version,
         ${passedOverBy('$1', 'l')} is not null as "passedOver",
         (select case when q.resolved_at is null then 'open' else 'resolved' end from observers.quarantine q
          where q.change_number = l.pk_entity_change_log and q.stream = $1) as quarantine
  from core.tb_entity_change_log l, e
  where l.pk_entity_change_log > $5 and l.change_xid is not null and ${passed('e', 'l')}
    and l.created_at >= greatest($6::timestamptz, now() - $7::float8 * interval '1 ms')
  order by l.pk_entity_change_log limit $8`;

/** @param end where the stream stood when the audit began: what it had passed then must be accounted for */
export async function selectAudited(
  client: ClientBase,
  { stream, since, retention }: AuditRange,
  { previous, target, after }: Cursor,
  behind: number,
  limit: number,
): Promise<AuditedChange[]> {
  const { rows } = await client.query<AuditedChange>(CHANGES, [stream, previous, target, after, behind, since, retention, limit]);
  return rows;
}

const FACTS = `
  select l.pk_entity_change_log::float8 as number, ${versionOf('$1', 'l')} as version,
         ${passedOverBy('$1', 'l')} is not null as "passedOver",
         (select case when q.resolved_at is null then 'open' else 'resolved' end from observers.quarantine q
          where q.change_number = l.pk_entity_change_log and q.stream = $1) as quarantine
  from core.tb_entity_change_log l
  where l.pk_entity_change_log = any ($2::bigint[]) and l.created_at >= now() - $3::float8 * interval '1 ms'`;

/** The same of single changes; those that are older than attempts are kept are left out. */
export async function factsOf(
  client: ClientBase,
  { stream, retention }: Pick<AuditRange, 'stream' | 'retention'>,
  changes: readonly number[],
): Promise<AuditedChange[]> {
  const { rows } = await client.query<AuditedChange>({ name: 'audit-facts', text: FACTS, values: [stream, changes, retention] });
  return rows;
}

/** What is on record of a delivery, in one word. */
export type AccountedState = 'delivered' | 'skipped' | 'shadow' | 'dead' | 'discarded' | 'parked' | 'pending' | 'dismissed';

export interface AccountedDelivery {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  /** Null: tries that settled nothing, and nobody who would try again. */
  readonly state: AccountedState | null;
}

// A row waiting or under way goes before all: a redrive of a dead letter, say. A try that is to be followed by another accounts for nothing;
// any other outcome does, whatever later versions may call it.
const RECORDS = `
  with r as (
    select change_number, observer, action, case state when 'parked' then 'parked' else 'pending' end as state
    from observers.pending_delivery where stream = $1 and change_number = any ($2::bigint[])
    union all
    select change_number, observer, action, case when resolved_at is null then 'dead' when resolution = 'delivered' then 'delivered' else 'discarded' end
    from observers.dead_letter where stream = $1 and change_number = any ($2::bigint[])
    union all
    select change_number, observer, action, case when message like 'shadow: %' then 'shadow' else case outcome when 'succeeded' then 'delivered' when 'dead' then 'logged' when 'retry' then null else 'skipped' end end
    from observers.attempt where change_number = any ($2::bigint[])
    union all
    select change_number, observer, action, 'dismissed'
    from observers.unaccounted where stream = $1 and change_number = any ($2::bigint[]) and dismissed_at is not null
  ), ranked as (
    select change_number, observer, action,
           min(case state when 'parked' then 1 when 'pending' then 2 when 'dead' then 3 when 'delivered' then 4 when 'skipped' then 5
                          when 'discarded' then 6 when 'logged' then 7 when 'shadow' then 8 when 'dismissed' then 9 end) as rank
    from r group by change_number, observer, action
  )
  select change_number::float8 as "changeNumber", observer, action,
         (array['parked', 'pending', 'dead', 'delivered', 'skipped', 'discarded', 'dead', 'shadow', 'dismissed'])[rank] as state from ranked`;

/** The state of every delivery of these changes that something is on record of. */
export async function accountedFor(client: ClientBase, stream: string, changes: readonly number[]): Promise<AccountedDelivery[]> {
  const { rows } = await client.query<AccountedDelivery>({ name: 'audit-records', text: RECORDS, values: [stream, changes] });
  return rows;
}
