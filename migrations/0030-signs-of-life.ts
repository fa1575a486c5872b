import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: an instance that was killed stood among the living for fifteen seconds. Its session shows that it is gone, as the leader's does, and
 * one that hangs is silent as soon as it has missed a sign of life, however long these are apart.
 */
export class SignsOfLife0030 implements MigrationInterface {
  readonly name = 'SignsOfLife1700000000030';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table observers.listener add column if not exists alive_until timestamptz, add column if not exists backend_pid int, add column if not exists backend_start timestamptz',
    );
  }

  async down(): Promise<void> {}
}
