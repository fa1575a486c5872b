import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: what a delivery waits for is recorded where everybody sees it, and outlives the process: a lane that is parked, an endpoint that
 * is left alone, a content key that was delivered a minute ago, an alert that was sent.
 */
export class Policies0005 implements MigrationInterface {
  readonly name = 'Policies1700000000005';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** As with the ledger: going back means going forward. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  // Endpoints that are not simply working, as their leader last saw them.
  `alter table observers.listener add column if not exists endpoints jsonb not null default '[]'`,

  // Of an observer with `ordering: strict`. State: the head of its lane is queued, running, retrying or parked; the others are waiting.
  `alter table observers.pending_delivery add column if not exists strict boolean not null default false`,
  // Only strict ones: the deliveries of all others need not pay for it.
  `create index if not exists pending_delivery_lane on observers.pending_delivery (stream, lane, change_number) where strict and not redrive`,

  `create table if not exists observers.dedup (
     observer      text not null,
     action        text not null,
     -- SHA-256 of the rendered key: it may be long, and it is payload.
     key           bytea not null,
     change_number bigint not null,
     -- processing until claimed_until at most, then done until expires_at
     state         text not null,
     expires_at    timestamptz not null,
     primary key (observer, action, key)
   )`,
  'create index if not exists dedup_expiry on observers.dedup (expires_at)',

  `create table if not exists observers.alert (
     observer text primary key,
     -- Dead letters up to here are told.
     told_to  timestamptz not null,
     sent_at  timestamptz not null
   )`,
];
