import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a person pauses an observer from any machine, with the service running or stopped, and it stays paused over restarts and
 * fail-overs. What it would have done waits as pending deliveries in the state `paused`, which no free place fetches.
 */
export class PausedObservers0009 implements MigrationInterface {
  readonly name = 'PausedObservers1700000000009';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.paused_observer (
     stream    text not null,
     observer  text not null,
     paused_by text not null,
     reason    text,
     since     timestamptz not null default clock_timestamp(),
     primary key (stream, observer)
   )`,
];
