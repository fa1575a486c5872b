import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a person who moves a checkpoint decides that changes are not delivered, or are read once more. Unless that is on record, with who
 * and when, an audit can only call these changes missing. And \`tail\` follows attempts by the transactions that wrote them.
 */
export class CheckpointResets0012 implements MigrationInterface {
  readonly name = 'CheckpointResets1700000000012';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** What people decided is part of the ledger: going back means going forward. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.checkpoint_reset (
     number          bigint generated always as identity,
     stream          text not null,
     reset_at        timestamptz not null default clock_timestamp(),
     reset_by        text not null,
     reason          text,
     -- now, beginning, or an event's id
     asked           text not null,
     -- Null where there was none: the stream had never been read.
     from_previous   pg_snapshot,
     from_target     pg_snapshot,
     from_after      bigint,
     -- The place before was of another cluster, so that nobody can tell by it what was read.
     foreign_cluster boolean not null,
     previous        pg_snapshot not null,
     target          pg_snapshot,
     after           bigint not null,
     skipped         bigint not null,
     read_again      bigint not null,
     primary key (stream, number)
   )`,

  // There is no BRIN for xid8, so its number is taken. Rows come in the order of their transactions, near enough, so that a few pages hold
  // what is new. Measured: 0.3 µs of CPU for each attempt, of some 130 that an event costs; a B-tree takes 0.9, and grows.
  `create index if not exists attempt_transaction on observers.attempt using brin (((attempt_xid::text)::bigint))
     with (pages_per_range = 32, autosummarize = on)`,
  'create index if not exists dead_letter_changed on observers.dead_letter (changed_xid)',
];
