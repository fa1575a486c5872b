import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Why: dedup keys and answers of look-ups may be kept in Redis. Whether an instance gets answers from it is said by its sign of life. */
export class RedisState0040 implements MigrationInterface {
  readonly name = 'RedisState1700000000040';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("alter table observers.listener add column if not exists redis jsonb not null default '[]'");
  }

  async down(): Promise<void> {}
}
