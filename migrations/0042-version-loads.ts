import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: versions of the observers file that nothing refers to any more are removed. An instance that has loaded one of them, and does not lead yet, refers to
 * it only in its memory: so each load is noted, and a version that was loaded since the oldest living instance began stays.
 */
export class VersionLoads0042 implements MigrationInterface {
  readonly name = 'VersionLoads1700000000042';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table observers.config_version add column if not exists loaded_at timestamptz not null default clock_timestamp()',
    );
  }

  async down(): Promise<void> {}
}
