import type { ClientBase } from 'pg';

/** What else the database knows of an entity, besides its changes. Times are RFC 3339. */
export interface EntityFacts {
  /** The change of this type of entity that has a key and was recorded last, lately. */
  readonly newest: { readonly change: number; readonly key: string } | null;
  /** The TRUNCATE of its table that was recorded last, lately: one change without a key. */
  readonly truncated: { readonly change: number; readonly at: string } | null;
  /** Changes in quarantine of which no key is known, of this type of entity or of none. */
  readonly keyless: { readonly count: number; readonly event: string | null; readonly reason: string };
  /** Dead letters of the entity, open and resolved: they outlive its changes. */
  readonly letters: { readonly count: number; readonly last: string | null };
  /** The change that was stored first of those that are stored still; null where none is. */
  readonly oldest: { readonly change: number; readonly at: string } | null;
  /** Roles, or databases, whose sessions write muted. */
  readonly muted: readonly { readonly role: string | null; readonly database: string | null; readonly setting: string }[];
  /** Since when tables are captured as this type of entity. */
  readonly captured: readonly { readonly table: string; readonly since: string }[];
}

const time = (column: string): string => `to_json(${column}) #>> '{}'`;
const KEY = 'coalesce(l.object_key, l.object_id::text)';
// It may have 1 GB; a longer one is none that somebody can be asked to write.
const SHORT = `octet_length(l.object_key) is null or octet_length(l.object_key) <= 1000`;

// No index knows these: what is older is not looked for, or a question would take as long as the log is.
const LATELY = '(select * from core.tb_entity_change_log order by pk_entity_change_log desc limit 100000)';

const NEWEST = `
  select json_build_object('change', l.pk_entity_change_log, 'key', observers.shown(${KEY})) from ${LATELY} l
  where l.object_type = $2 and ${KEY} <> '' and (${SHORT}) order by l.pk_entity_change_log desc limit 1`;

const TRUNCATED = `
  select json_build_object('change', l.pk_entity_change_log, 'at', ${time('l.created_at')}) from ${LATELY} l
  where l.object_type = $2 and l.modification_type = 'CUSTOM' and ${KEY} is null and l.extra_metadata ->> 'truncate' = 'true'
  order by l.pk_entity_change_log desc limit 1`;

const KEYLESS = `
  select json_build_object('count', count(*), 'event', (array_agg(l.id order by l.pk_entity_change_log desc))[1],
    'reason', coalesce((array_agg(q.reason order by l.pk_entity_change_log desc))[1], ''))
  from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number
  where q.stream = $1 and q.resolved_at is null and coalesce(${KEY}, '') = '' and (l.object_type = $2 or coalesce(l.object_type, '') = '')`;

const LETTERS = `
  select json_build_object('count', count(*), 'last', ${time('max(d.died_at)')}) from observers.dead_letter d
  where d.stream = $1 and d.entity_type = $2 and d.entity_key = $3`;

const OLDEST = `
  select json_build_object('change', l.pk_entity_change_log, 'at', ${time('l.created_at')}) from core.tb_entity_change_log l
  where l.change_xid is not null order by l.pk_entity_change_log limit 1`;

// As capture compares: \`on\`, and nothing else that PostgreSQL takes for true.
const MUTED = `
  select coalesce(json_agg(json_build_object('role', r.rolname, 'database', d.datname, 'setting', lower(split_part(c.setting, '=', 1)))), '[]')
  from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
  cross join unnest(s.setconfig) c(setting)
  where (s.setdatabase = 0 or d.datname = current_database())
    and lower(split_part(c.setting, '=', 1)) in ('observers.mute', 'fraiseql.cdc_mediated') and split_part(c.setting, '=', 2) = 'on'`;

const CAPTURED = `
  select coalesce(json_agg(json_build_object('table', t.relation, 'since', ${time('t.applied_at')}) order by t.relation), '[]')
  from observers.captured_table t where t.options ->> 'entity' = $2`;

// The log is looked through only where it has nothing of the entity.
const FACTS = `
  select case when $4::boolean then (${NEWEST}) end as newest, case when $4 then (${TRUNCATED}) end as truncated, (${KEYLESS}) as keyless, (${LETTERS}) as letters, (${OLDEST}) as oldest,
         (${MUTED}) as muted, (${CAPTURED}) as captured`;

/** @param absent whether the log has no change of it: then the first two are looked for, and otherwise null */
export async function readEntityFacts(
  client: ClientBase,
  stream: string,
  { entity, key }: { readonly entity: string; readonly key: string },
  absent: boolean,
): Promise<EntityFacts> {
  const { rows } = await client.query<EntityFacts>(FACTS, [stream, entity, key, absent]);
  if (rows[0] === undefined) throw new Error('the facts about the entity were not returned');
  return rows[0];
}

const SPELLED = `
  select ${KEY} as key from core.tb_entity_change_log l
  where l.object_type = $1 and ${KEY} = any ($2) order by l.pk_entity_change_log desc limit 1`;

/** Of these keys the one that was changed last; null where the log has none of them. */
export async function findSpelling(client: ClientBase, entityType: string, keys: readonly string[]): Promise<string | null> {
  if (keys.length === 0) return null;
  const { rows } = await client.query<{ key: string }>(SPELLED, [entityType, keys]);
  return rows[0]?.key ?? null;
}

/** Whether something is on record of an observer that the configuration does not have. */
export async function isOnRecord(client: ClientBase, stream: string, observer: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from observers.dead_letter where stream = $1 and observer = $2
     union all select from observers.pending_delivery where stream = $1 and observer = $2 limit 1`,
    [stream, observer],
  );
  return rowCount === 1;
}
