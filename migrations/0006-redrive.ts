import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a dry run names a set of items without writing anything, and its token acts on exactly that set later. So each item carries the
 * transaction that changed it last: what was changed after the dry run is not visible in the dry run's snapshot, and is left alone.
 * By trigger, so that no statement that touches an item can forget it. Items from before carry none, and count as unchanged.
 */
export class Redrive0006 implements MigrationInterface {
  readonly name = 'Redrive1700000000006';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** What people did to the items is part of the ledger: going back means going forward. */
  async down(): Promise<void> {}
}

const trigger = (table: string, columns: string): string[] => [
  `drop trigger if exists changed on observers.${table}`,
  `create trigger changed before insert or update of ${columns} on observers.${table} for each row execute function observers.note_change()`,
];

const STATEMENTS = [
  'alter table observers.dead_letter add column if not exists changed_xid xid8',
  // Null: the configuration that runs. Otherwise the version with which the item died, as a person asked for.
  'alter table observers.pending_delivery add column if not exists config_version integer',
  `alter table observers.quarantine add column if not exists changed_xid xid8,
     add column if not exists resolved_at timestamptz, add column if not exists resolution text`,

  `create or replace function observers.note_change() returns trigger language plpgsql as $$
   begin
     new.changed_xid = pg_catalog.pg_current_xact_id();
     return new;
   end $$`,
  'revoke all on function observers.note_change() from public',
  ...trigger('dead_letter', 'error, message, died_at, resolved_at'),
  // Not of retry_at: asking for another look does not change what the item is.
  ...trigger('quarantine', 'reason, message, resolved_at'),

  // Signs tokens, so that one that was altered, or is of another database, is refused.
  `create table if not exists observers.token_key (
     one boolean primary key default true check (one),
     key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
   )`,
  'insert into observers.token_key default values on conflict do nothing',
  'revoke all on observers.token_key from public',

  // How far each replay has come: a token that is used twice, or again after Ctrl-C, goes on where it was.
  `create table if not exists observers.replay (
     id          text primary key,
     who         text not null,
     asked       bigint not null default 0,
     after       bigint not null default 0,
     started_at  timestamptz not null default clock_timestamp(),
     finished_at timestamptz
   )`,
];
