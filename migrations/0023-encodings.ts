import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: PostgreSQL gives out a text only when all of it can be converted, and one byte that cannot fails the whole statement: a page of
 * 500 changes, a list of dead letters. In a database of SQL_ASCII any byte may stand, and others have characters that UTF-8 has not. These
 * functions tell such a text before it is given out. In UTF-8 they look at nothing.
 *
 * `changed_xid` of dead letters is written by a trigger, which a session with `session_replication_role = replica` would go past.
 */
export class Encodings0023 implements MigrationInterface {
  readonly name = 'Encodings1700000000023';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** What reads by them goes on to. */
  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create or replace function observers.readable(text) returns boolean language plpgsql stable parallel safe as $$
   begin
     if $1 is null or pg_catalog.getdatabaseencoding() operator(pg_catalog.=) 'UTF8' then
       return true;
     end if;
     begin
       perform pg_catalog.convert_to($1, 'UTF8');
       return true;
     exception when untranslatable_character or character_not_in_repertoire then
       return false;
     end;
   end $$`,
  // For lists that people read: what cannot be converted shows its bytes.
  `create or replace function observers.shown(text) returns text language plpgsql stable parallel safe as $$
   begin
     if observers.readable($1) then
       return $1;
     end if;
     return pg_catalog.encode(pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()), 'escape');
   end $$`,
  ...['dead_letter', 'quarantine'].map((table) => `alter table observers.${table} enable always trigger changed`),
];
