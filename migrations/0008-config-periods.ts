import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: what an observer did not match leaves no row behind, and yet a person asks why nothing was sent, and an audit asks whether
 * anything is missing. Both need the configuration that decided: from which place in the stream on each version has, one row a change of
 * configuration instead of one a change of data.
 */
export class ConfigPeriods0008 implements MigrationInterface {
  readonly name = 'ConfigPeriods1700000000008';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** As with the ledger: going back means going forward. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.config_period (
     number         bigint generated always as identity,
     stream         text not null,
     epoch          bigint not null,
     config_version integer not null,
     -- Where the stream stood, as in observers.checkpoint: what it had passed was decided by an earlier version.
     previous       pg_snapshot not null,
     target         pg_snapshot,
     after          bigint not null,
     began_at       timestamptz not null default clock_timestamp(),
     primary key (stream, epoch, number)
   )`,
];
