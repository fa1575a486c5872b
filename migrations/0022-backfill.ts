import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a backfill of a million rows is stopped, or dies, and goes on where it was. What it has written to the change log and how far it
 * has come commit together, so that nothing is written twice and nothing is left out.
 */
export class Backfill0022 implements MigrationInterface {
  readonly name = 'Backfill1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** They tell what was sent to whom. */
  async down(): Promise<void> {}
}

// keys: the columns in whose order it goes; passed: their values, as text, in the last row that is done, null before the first.
// run: the process that works on it, which shows that it lives by seen_at.
const TABLE = `
create table if not exists observers.backfill (
  id          uuid primary key,
  relation    text not null,
  relid       oid not null,
  entity      text not null,
  observers   text[] not null,
  condition   text,
  keys        text[] not null,
  passed      text[],
  done        bigint not null default 0,
  failed      bigint not null default 0,
  expected    bigint,
  state       text not null default 'unfinished' check (state in ('unfinished', 'finished', 'cancelled')),
  started_at  timestamptz not null default clock_timestamp(),
  started_by  text not null,
  run         uuid,
  seen_at     timestamptz,
  ended_at    timestamptz,
  ended_by    text
)`;

// One of a kind is unfinished at a time: a second start goes on with it. A condition may be longer than an index entry.
const ONE = `
create unique index if not exists backfill_unfinished on observers.backfill (relid, observers, md5(coalesce(condition, '')))
  where state = 'unfinished'`;

const STATEMENTS = [TABLE, ONE];
