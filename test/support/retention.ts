import type { Pool } from 'pg';
import type { TestDatabase } from './database';
import { eventually } from './until';
import { PooledDatabase } from '../../src/database/database';
import type { RetentionSettings } from '../../src/retention/policy';
import { RetentionTally } from '../../src/retention/retention-tally';
import { Retention, type RetentionRun } from '../../src/retention/retention.service';

export const DAY = 86_400_000;

/** Of everything a minute, or as little as may be. */
export const SHORTEST: RetentionSettings = {
  retention: 60_000,
  retentionLog: null,
  retentionDeadLetters: 60_000,
  retentionVersions: 60_000,
  retentionOperations: 30 * DAY,
};

/** Removes what is old, as the leader does. */
export function removeAll(pool: Pool, settings: RetentionSettings = SHORTEST): Promise<RetentionRun> {
  return new Retention(new PooledDatabase(pool), new RetentionTally()).run(settings, 'test', () => false);
}

export const HISTORY = {
  deadLetter: `insert into observers.dead_letter (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message, attempts, config_version)
    values (gen_random_uuid(), $1, gen_random_uuid(), 'o', 'a', 'main', 'e', 'Order', '1', 'http_status', '', 1, 1)`,
};

const UPSERT = `
  insert into observers.checkpoint (stream, epoch, system_identifier, previous)
  values ($1, 1, (select system_identifier::text from pg_control_system()), PLACE)
  on conflict (stream) do update set system_identifier = excluded.system_identifier, previous = excluded.previous, target = null, after = 0`;

const BEYOND = `
  select 1 from core.tb_entity_change_log l, observers.checkpoint c
  where c.stream = $1 and l.change_xid >= pg_snapshot_xmin(c.previous) limit 1`;

/** What stands in a database that has been in use for a while, made in a moment. */
export class History {
  constructor(private readonly database: TestDatabase) {}

  /** @returns their numbers */
  async changes(count: number, age: string, kind = 'INSERT'): Promise<number[]> {
    const rows = await this.database.query<{ number: number }>(
      `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, created_at)
       select 'Order', i::text, $3, '{}', now() - $2::interval from generate_series(1, $1::int) i returning pk_entity_change_log::int as number`,
      [count, age, kind],
    );
    return rows.map(({ number }) => number);
  }

  /** The stream has passed all that there is; as soon as no transaction of another test holds the snapshot up, for the server is shared. */
  async passed(stream: string): Promise<void> {
    const pass = (): Promise<unknown[]> => this.database.query(UPSERT.replace('PLACE', 'pg_current_snapshot()'), [stream]).then(() => this.database.query(BEYOND, [stream])); // prettier-ignore
    await eventually(pass, (beyond) => beyond.length === 0, 5_000).catch(() => undefined);
  }

  notBegun(stream: string): Promise<unknown> {
    return this.database.query(UPSERT.replace('PLACE', "'1:1:'"), [stream]);
  }

  /** A day of attempts, so many days ago: one for each of these changes. */
  async day(ago: number, changes: readonly number[]): Promise<void> {
    await this.database.query(`do $$ declare day date := (now() at time zone 'UTC')::date - ${ago}; begin
      execute format('create table observers.%I partition of observers.attempt for values from (%L) to (%L)',
        'attempt_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'); end $$`);
    await this.database.query(
      `insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
       select n, 'o', 'a', 1, 'succeeded', 1, ((now() at time zone 'UTC')::date - $1::int + time '12:00') at time zone 'UTC', 1 from unnest($2::bigint[]) n`,
      [ago, changes],
    );
  }

  async days(): Promise<string[]> {
    const rows = await this.database.query<{ name: string }>(
      `select relname::text as name from pg_class where relname ~ '^attempt_\\d{8}$' and relname < 'attempt_' || to_char(now() at time zone 'UTC', 'YYYYMMDD') order by 1`,
    );
    return rows.map(({ name }) => name);
  }

  /** Of one change, or all, in the order of their numbers; as text, with the transactions that wrote them. */
  async attempts(change: number | null = null): Promise<string[]> {
    const rows = await this.database.query<{ row: string }>(
      'select a::text as row from observers.attempt a where $1::bigint is null or change_number = $1 order by change_number',
      [change],
    );
    return rows.map(({ row }) => row);
  }

  /** Numbers of the changes that are in the log. */
  async kept(): Promise<number[]> {
    const rows = await this.database.query<{ number: number }>(
      'select pk_entity_change_log::int as number from core.tb_entity_change_log order by 1',
    );
    return rows.map(({ number }) => number);
  }

  async versions(): Promise<number[]> {
    return (await this.database.query<{ id: number }>('select id from observers.config_version order by 1')).map(({ id }) => id);
  }
}
