import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: an instance that is asked for what only the leader can answer passes the request on. So each says where the others reach its API; the
 * address that is there already has no scheme, and behind a proxy with TLS it is another one. Who closes a breaker from elsewhere leaves word by
 * which program, for the record of operations that the leader makes of it.
 */
export class AdvertisedUrl0029 implements MigrationInterface {
  readonly name = 'AdvertisedUrl1700000000029';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table observers.listener add column if not exists url text');
    await runner.query(
      "alter table observers.breaker_reset add column if not exists via text not null default current_setting('application_name')",
    );
  }

  async down(): Promise<void> {}
}
