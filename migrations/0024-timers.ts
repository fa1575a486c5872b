import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Why: `status --detailed` says what each instance does again and again beside the path of events, and so whether it does it at all. */
export class Timers0024 implements MigrationInterface {
  readonly name = 'Timers1700000000024';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("alter table observers.listener add column if not exists timers text[] not null default '{}'");
  }

  async down(): Promise<void> {}
}
