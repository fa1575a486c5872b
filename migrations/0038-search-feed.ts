import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: where the audit trail stands in Elasticsearch, somebody has to know how far it has been told. That is a cursor of its own, beside the
 * checkpoint: Elasticsearch may be away for a day, and neither deliveries nor the checkpoint wait for it. What Elasticsearch refuses for
 * good stands here with the reason, until a person has it tried again.
 *
 * What people did about a dead letter had no transaction on record, by which a reader could find what is new.
 */
export class SearchFeed0038 implements MigrationInterface {
  readonly name = 'SearchFeed1700000000038';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.search_feed (
     stream            text not null,
     -- As OBSERVERS_SEARCH_INDEX says; with the generation it names the indices.
     index_name        text not null,
     generation        integer not null,
     -- live: what is searched; building: what will be, beside it
     state             text not null,
     -- Whether the leader is configured to feed it.
     active            boolean not null default true,
     -- Only what was written then or later.
     since             timestamptz,
     created_at        timestamptz not null default clock_timestamp(),
     epoch             bigint not null default 0,
     system_identifier text not null,
     -- What was visible in it is told; of what is visible in the target, what was under way in \`previous\` (from_xid 0), and all transactions
     -- below from_xid. Of those from there to below to_xid, changes up to the number \`after\`.
     previous          pg_snapshot not null,
     target            pg_snapshot,
     from_xid          bigint not null default 0,
     to_xid            bigint,
     after             bigint not null default 0,
     -- When the target was taken; what was committed at complete_at is told.
     target_at         timestamptz,
     complete_at       timestamptz,
     -- Why it does not go on.
     problem           text,
     problem_at        timestamptz,
     primary key (stream, index_name, generation)
   )`,
  `create table if not exists observers.search_parked (
     stream        text not null,
     index_name    text not null,
     generation    integer not null,
     change_number bigint not null,
     status        integer not null,
     reason        text not null,
     tries         integer not null default 1,
     parked_at     timestamptz not null default clock_timestamp(),
     -- A person has asked for another try.
     retry         boolean not null default false,
     primary key (stream, index_name, generation, change_number)
   )`,
  `create index if not exists search_parked_retry on observers.search_parked (stream, index_name, generation, change_number) where retry`,
  // The default is evaluated once for the rows that there are: nothing is rewritten.
  'alter table observers.dead_letter_event add column if not exists written_xid xid8 not null default pg_current_xact_id()',
  'create index if not exists dead_letter_event_written on observers.dead_letter_event (written_xid)',
];
