import type { ClientBase, Pool } from 'pg';
import { passedOverBy } from '../checkpoint/checkpoint-reset.sql';
import { currentVersionOf, passed, versionOf } from '../checkpoint/config-period.sql';
import type { PendingState } from '../event/pending-state';
import type { EndpointState } from '../resilience/endpoint-state';
import { isLeading, stateOf } from '../status/alive.sql';

/** One try of one delivery, as it is on record. */
export interface AttemptFact {
  readonly observer: string;
  readonly action: string;
  readonly attempt: number;
  readonly outcome: 'succeeded' | 'skipped' | 'retry' | 'dead';
  readonly error: string | null;
  readonly message: string | null;
  readonly status: number | null;
  readonly response: string | null;
  readonly durationMs: number;
  /** RFC 3339. */
  readonly finishedAt: string;
  readonly configVersion: number;
}

/** A delivery that waits, or is under way. */
export interface PendingFact {
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  readonly state: PendingState;
  readonly attempt: number;
  /** Null where it is nobody's appointment: queued ones go when there is a place. */
  readonly nextAttemptAt: string | null;
  readonly claimedBy: string | null;
  readonly redrive: boolean;
  /** How many changes it stands for; null where its observer does not debounce. */
  readonly collapsed: number | null;
  /** The change that is the head of its strict lane. */
  readonly behindChange: number | null;
}

export interface DeadLetterFact {
  readonly id: string;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  readonly error: string;
  readonly message: string;
  readonly attempts: number;
  readonly diedAt: string;
  readonly resolvedAt: string | null;
  readonly resolution: string | null;
  readonly configVersion: number;
}

/** What is on record about one change. */
export interface ChangeFacts {
  readonly changeNumber: number;
  /** Written before this product watched the table: never delivered. */
  readonly history: boolean;
  /** The checkpoint lies behind it. */
  readonly processed: boolean;
  /** Older than what is kept of attempts. */
  readonly beyondRetention: boolean;
  /** A person moved the checkpoint past it: no observer was asked. */
  readonly passedOver: { readonly at: string; readonly by: string; readonly reason: string | null } | null;
  /** That decided, or will; null when it is not known. */
  readonly version: number | null;
  readonly attempts: readonly AttemptFact[];
  readonly pending: readonly PendingFact[];
  readonly deadLetters: readonly DeadLetterFact[];
  readonly quarantine: QuarantineFact | null;
  readonly recorded: RecordedChange;
}

export interface QuarantineFact {
  readonly reason: string;
  readonly message: string;
  readonly createdAt: string;
  readonly resolvedAt: string | null;
  readonly resolution: string | null;
}

/** How the log calls a change: the words of its row, cut, that need no image to be read. */
export interface RecordedChange {
  /** Of the event. */
  readonly id: string | null;
  readonly entityType: string | null;
  /** Null for a change without a row, and for one of which the key could not be recorded. */
  readonly entityKey: string | null;
  readonly kind: string | null;
  /** RFC 3339; null for a time that is none of the years 1 to 9999. */
  readonly timestamp: string | null;
}

const time = (column: string): string => `to_json(${column}) #>> '{}'`;

const ATTEMPTS = `
  select coalesce(json_agg(json_build_object('observer', a.observer, 'action', a.action, 'attempt', a.attempt, 'outcome', a.outcome,
    'error', a.error, 'message', a.message, 'status', a.status, 'response', a.response, 'durationMs', a.duration_ms,
    'finishedAt', ${time('a.finished_at')}, 'configVersion', a.config_version) order by a.finished_at, a.attempt), '[]')
  from observers.attempt a where a.change_number = l.pk_entity_change_log`;

const PENDING = `
  select coalesce(json_agg(json_build_object('observer', p.observer, 'action', p.action, 'endpoint', p.endpoint, 'state', ${stateOf('p')},
    'attempt', p.attempt, 'nextAttemptAt', case when isfinite(p.next_attempt_at) then ${time('p.next_attempt_at')} end,
    'claimedBy', p.claimed_by, 'redrive', p.redrive, 'collapsed', p.collapsed,
    'behindChange', case p.state when 'waiting' then (select min(h.change_number) from observers.pending_delivery h
       where h.stream = p.stream and h.lane = p.lane and h.strict and not h.redrive) end) order by p.observer, p.action), '[]')
  from observers.pending_delivery p where p.change_number = l.pk_entity_change_log and p.stream = $1`;

const DEAD_LETTERS = `
  select coalesce(json_agg(json_build_object('id', d.id, 'observer', d.observer, 'action', d.action, 'endpoint', d.endpoint, 'error', d.error,
    'message', d.message, 'attempts', d.attempts, 'diedAt', ${time('d.died_at')}, 'resolvedAt', ${time('d.resolved_at')},
    'resolution', d.resolution, 'configVersion', d.config_version) order by d.observer, d.action), '[]')
  from observers.dead_letter d where d.change_number = l.pk_entity_change_log and d.stream = $1`;

const QUARANTINE = `
  select json_build_object('reason', q.reason, 'message', q.message, 'createdAt', ${time('q.created_at')},
    'resolvedAt', ${time('q.resolved_at')}, 'resolution', q.resolution)
  from observers.quarantine q where q.change_number = l.pk_entity_change_log and q.stream = $1`;

const PASSED_OVER = `
  select json_build_object('at', ${time('r.reset_at')}, 'by', r.reset_by, 'reason', r.reason) from observers.checkpoint_reset r
  where l.change_xid is not null and r.stream = $1 and r.number = ${passedOverBy('$1', 'l')}`;

/** Characters of a word that is shown: it may have 1 GB, and is a name. */
const SHOWN = 1_000;
const word = (expression: string): string => `observers.shown(left(${expression}, ${SHOWN}))`;

const RECORDED = `
  json_build_object('id', l.id::text, 'entityType', ${word('l.object_type')}, 'entityKey', ${word('coalesce(l.object_key, l.object_id::text)')},
    'kind', lower(${word('l.modification_type')}),
    'timestamp', case when l.created_at >= '0001-01-01 00:00:00+00' and l.created_at < '10000-01-01 00:00:00+00' then ${time('l.created_at')} end)`;

const FACTS = `
  select l.pk_entity_change_log::float8 as "changeNumber", l.change_xid is null as history,
         coalesce((select ${passed('c', 'l')} from observers.checkpoint c where c.stream = $1), false) as processed,
         l.created_at < now() - $3::float8 * interval '1 ms' as "beyondRetention",
         case when l.change_xid is not null then ${versionOf('$1', 'l')} end as version,
         (${ATTEMPTS}) as attempts, (${PENDING}) as pending, (${DEAD_LETTERS}) as "deadLetters", (${QUARANTINE}) as quarantine,
         (${PASSED_OVER}) as "passedOver", ${RECORDED} as recorded
  from core.tb_entity_change_log l where l.pk_entity_change_log = any ($2::bigint[]) order by l.pk_entity_change_log`;

/** @param retention milliseconds for which attempts are kept */
export async function readFacts(
  client: ClientBase | Pool,
  stream: string,
  changes: readonly number[],
  retention: number,
): Promise<ChangeFacts[]> {
  const { rows } = await client.query<ChangeFacts>(FACTS, [stream, changes, retention]);
  return rows;
}

/** What the stream as a whole does, as far as the database knows. */
export interface StreamFacts {
  /** The latest version that a service led with; null before the first. */
  readonly currentVersion: number | null;
  /** The leader's endpoints that are not simply working; null when nobody leads, and it cannot be known. */
  readonly endpoints: readonly EndpointState[] | null;
  readonly paused: readonly { readonly observer: string; readonly since: string; readonly by: string }[];
  /** Endpoints that have answered 410, and since when. */
  readonly gone: readonly { readonly endpoint: string; readonly since: string }[];
}

const STREAM = `
  select ${currentVersionOf('$1')} as "currentVersion",
    (select l.endpoints from observers.listener l join observers.lease e on e.stream = l.stream and e.holder = l.id
     where l.stream = $1 and ${isLeading('e')}) as endpoints,
    (select coalesce(json_agg(json_build_object('endpoint', endpoint, 'since', ${time('since')})), '[]')
     from observers.gone_endpoint where stream = $1) as gone,
    (select coalesce(json_agg(json_build_object('observer', observer, 'since', ${time('since')}, 'by', paused_by)), '[]')
     from observers.paused_observer where stream = $1) as paused`;

export async function readStreamFacts(client: ClientBase | Pool, stream: string): Promise<StreamFacts> {
  const { rows } = await client.query<StreamFacts>(STREAM, [stream]);
  return rows[0] ?? { currentVersion: null, endpoints: null, gone: [], paused: [] };
}

/** Whether a change with this number is stored, and was written since this product watches the table. */
export async function isChange(client: ClientBase | Pool, changeNumber: number): Promise<boolean> {
  const { rowCount } = await client.query(
    'select from core.tb_entity_change_log where pk_entity_change_log = $1 and change_xid is not null',
    [changeNumber],
  );
  return rowCount === 1;
}

const LATEST = `
  select pk_entity_change_log::float8 as number from core.tb_entity_change_log
  where ($2::text is null or object_type = $2) and ($3::text is null or coalesce(object_key, object_id::text) = $3)
    and ($4::text is null or lower(modification_type) = $4)
  order by pk_entity_change_log desc limit $1`;

/** Which stored changes to list; null does not narrow them down. */
export interface HistoryFilter {
  readonly entityType: string | null;
  readonly entityKey: string | null;
  readonly kind: string | null;
}

/** Newest first. */
export async function latestChanges(client: ClientBase | Pool, filter: HistoryFilter, limit: number): Promise<number[]> {
  const { entityType, entityKey, kind } = filter;
  const { rows } = await client.query<{ number: number }>(LATEST, [limit, entityType, entityKey, kind]);
  return rows.map(({ number }) => number);
}
