import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a receiver that says 410 wants no more requests, whatever they are about. It must be told once, not once for each delivery, and
 * also after a restart; and the mark must vanish when the observers file gives the endpoint another URL.
 */
export class GoneEndpoints0007 implements MigrationInterface {
  readonly name = 'GoneEndpoints1700000000007';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.gone_endpoint (
     stream   text not null,
     endpoint text not null,
     -- SHA-256: the URL itself may hold a secret.
     url_hash text not null,
     since    timestamptz not null default clock_timestamp(),
     primary key (stream, endpoint)
   )`,
];
