import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: an instance that is asked for what only the leader can answer passes the request on. So each says where the others reach its API; the
 * address that is there already has no scheme, and behind a proxy with TLS it is another one.
 */
export class AdvertisedUrl0029 implements MigrationInterface {
  readonly name = 'AdvertisedUrl1700000000029';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.listener add column if not exists url text');
  }

  async down(): Promise<void> {}
}
