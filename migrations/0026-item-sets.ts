import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: what a dry run has shown stands here, so that its token is short, and what was asked for by it can be found again: counted, and taken
 * back as long as nobody has tried it. A dead letter keeps what it died with; what its retries came to stands beside that, and in its history.
 * Who closes a circuit breaker from outside of the instance that leads leaves word here.
 */
export class ItemSets0026 implements MigrationInterface {
  readonly name = 'ItemSets1700000000026';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** What people did is part of the ledger: going back means going forward. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  // content: the filter and the snapshot, or the plan of a replay: what the token acts on, and nothing else.
  `create table if not exists observers.item_set (
     token        text primary key,
     use          text not null,
     content      jsonb not null,
     made_at      timestamptz not null default clock_timestamp(),
     expires_at   timestamptz not null,
     cancelled_at timestamptz,
     cancelled_by text
   )`,
  'alter table observers.pending_delivery add column if not exists item_set text',
  'create index if not exists pending_delivery_set on observers.pending_delivery (item_set) where item_set is not null',
  'alter table observers.quarantine add column if not exists item_set text',

  // What the last retry came to.
  `alter table observers.dead_letter add column if not exists retried_at timestamptz, add column if not exists retry_error text,
     add column if not exists retry_message text, add column if not exists retry_status smallint`,
  `alter table observers.dead_letter_event add column if not exists error text, add column if not exists status smallint,
     add column if not exists config_version integer, add column if not exists item_set text`,
  'create index if not exists dead_letter_event_set on observers.dead_letter_event (item_set) where item_set is not null',

  // The leader looks for those that are not done; was: the state before, or that there was no such breaker.
  `create table if not exists observers.breaker_reset (
     stream   text not null,
     endpoint text not null,
     asked_at timestamptz not null default clock_timestamp(),
     asked_by text not null,
     reason   text,
     done_at  timestamptz,
     was      text,
     primary key (stream, endpoint)
   )`,
];
