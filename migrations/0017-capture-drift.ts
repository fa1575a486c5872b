import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: only the instance that leads looks whether the tables are captured as its configuration asks, and whoever runs `status` or scrapes
 * another instance is to see what it found. It stands beside the leader's heartbeat, and is forgotten with it. Null: it has not looked.
 */
export class CaptureDrift0017 implements MigrationInterface {
  readonly name = 'CaptureDrift1700000000017';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.listener add column if not exists capture_drift jsonb');
  }

  async down(): Promise<void> {}
}
