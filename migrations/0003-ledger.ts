import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: "handled" is a recorded fact in the same transaction as its outcome. These tables are where that is recorded.
 *
 * No index on a random key in a table that grows with every event: deliveries are found by change number, their ids are derived.
 * Words that a later version may extend (state, outcome, error) are plain text: a CHECK once made failure rows vanish.
 */
export class Ledger0003 implements MigrationInterface {
  readonly name = 'Ledger1700000000003';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** A ledger that is dropped is a lie about what was sent: going back means going forward. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.lease (
     stream        text primary key,
     holder        text not null,
     epoch         bigint not null,
     -- The holder's LISTEN session: when PostgreSQL says that it is gone, a stand-by need not wait for expires_at.
     backend_pid   integer,
     backend_start timestamptz,
     acquired_at   timestamptz not null default clock_timestamp(),
     expires_at    timestamptz not null
   )`,

  `create table if not exists observers.listener (
     id           text primary key,
     stream       text not null,
     host         text not null,
     pid          integer not null,
     version      text not null,
     address      text,
     started_at   timestamptz not null default clock_timestamp(),
     heartbeat_at timestamptz not null default clock_timestamp(),
     in_flight    integer not null default 0
   )`,

  `create table if not exists observers.config_version (
     id         integer generated always as identity primary key,
     hash       text not null unique,
     -- As the file has it, secrets left as references.
     source     text not null,
     loaded_by  text not null,
     created_at timestamptz not null default clock_timestamp()
   )`,

  `create table if not exists observers.checkpoint (
     stream            text primary key,
     epoch             bigint not null,
     system_identifier text not null,
     previous          pg_snapshot not null,
     -- Null between two windows.
     target            pg_snapshot,
     after             bigint not null default 0,
     updated_at        timestamptz not null default clock_timestamp()
   )`,

  `create table if not exists observers.attempt (
     change_number  bigint not null,
     observer       text not null,
     action         text not null,
     attempt        integer not null,
     outcome        text not null,
     error          text,
     message        text,
     status         smallint,
     response       text,
     duration_ms    real not null,
     finished_at    timestamptz not null,
     config_version integer not null,
     attempt_xid    xid8 not null default pg_current_xact_id()
   ) partition by range (finished_at)`,
  // Ascending, so inserts touch the right-most leaf only; and exact, where BRIN is widened by every late retry.
  'create index if not exists attempt_change_number on observers.attempt (change_number)',
  // Partitions by day are made ahead; this one takes what a clock that jumps would lose.
  'create table if not exists observers.attempt_default partition of observers.attempt default',

  `create table if not exists observers.pending_delivery (
     change_number   bigint not null,
     observer        text not null,
     action          text not null,
     stream          text not null,
     endpoint        text not null,
     lane            text not null,
     -- queued, running, gone; from running to retrying and back; from running to queued when its process died
     state           text not null,
     attempt         integer not null,
     first_attempt_at timestamptz,
     -- -infinity for queued ones: their order is that of their change numbers, hence that of commits within a lane.
     next_attempt_at timestamptz not null,
     claimed_by      text,
     claimed_until   timestamptz,
     -- A person asked for it: one try, and back to the dead letters when it fails.
     redrive         boolean not null default false,
     created_at      timestamptz not null default clock_timestamp(),
     primary key (change_number, observer, action)
   )`,
  'create index if not exists pending_delivery_due on observers.pending_delivery (stream, endpoint, state, next_attempt_at, change_number)',

  `create table if not exists observers.dead_letter (
     -- The delivery id.
     id             uuid primary key,
     change_number  bigint not null,
     event_id       uuid not null,
     observer       text not null,
     action         text not null,
     stream         text not null,
     endpoint       text not null,
     entity_type    text not null,
     entity_key     text not null,
     error          text not null,
     message        text not null,
     status         smallint,
     response       text,
     attempts       integer not null,
     config_version integer not null,
     died_at        timestamptz not null default clock_timestamp(),
     -- An item leaves the DLQ only by being delivered or discarded.
     resolved_at    timestamptz,
     resolution     text
   )`,
  'create index if not exists dead_letter_open on observers.dead_letter (died_at) where resolved_at is null',
  'create index if not exists dead_letter_change on observers.dead_letter (change_number)',

  `create table if not exists observers.dead_letter_event (
     dead_letter_id uuid not null,
     at             timestamptz not null default clock_timestamp(),
     what           text not null,
     who            text not null,
     detail         text
   )`,
  'create index if not exists dead_letter_event_item on observers.dead_letter_event (dead_letter_id, at)',

  `create table if not exists observers.quarantine (
     change_number bigint primary key,
     stream        text not null,
     reason        text not null,
     message       text not null,
     created_at    timestamptz not null default clock_timestamp(),
     retry_at      timestamptz
   )`,
];
