import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a receiver that asks for a later time again and again (`Retry-After`) uses up no attempt, but only so often in a row. How often it
 * has done so outlives the process and the hand-over: otherwise each restart would grant them all once more.
 */
export class Appointments0025 implements MigrationInterface {
  readonly name = 'Appointments1700000000025';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.pending_delivery add column if not exists appointments integer not null default 0');
  }

  async down(): Promise<void> {}
}
