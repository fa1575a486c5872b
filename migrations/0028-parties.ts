import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: whoever waits for an endpoint takes turns by tenant and observer. A claim walks from party to party, an index look-up each, and never
 * reads the backlog of any. One entity may have changes of several tenants, whose order must hold all the same: a claim looks whether an
 * earlier one of the lane is queued for another party.
 */
export class Parties0028 implements MigrationInterface {
  readonly name = 'Parties1700000000028';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

// Each row is in one index of those that are due, or of those that are queued, and not in both.
const STATEMENTS = [
  `alter table observers.pending_delivery add column if not exists party text collate "C" not null default '-'`,
  `create index if not exists pending_delivery_turn on observers.pending_delivery (stream, endpoint, party, change_number) where state = 'queued'`,
  `create index if not exists pending_delivery_queued_lane on observers.pending_delivery (stream, lane, change_number) where state = 'queued'`,
  'drop index if exists observers.pending_delivery_due',
  `create index if not exists pending_delivery_retry on observers.pending_delivery (stream, endpoint, next_attempt_at, change_number) where state = 'retrying'`,
];
