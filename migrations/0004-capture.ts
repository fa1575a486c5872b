import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: `capture check` can tell drift only if what was installed is on record: the options as they were asked for, and a fingerprint
 * of the SQL that they became, which the triggers carry as their argument.
 */
export class Capture0004 implements MigrationInterface {
  readonly name = 'Capture1700000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table if not exists observers.captured_table (
        relation    text primary key,
        options     jsonb not null,
        fingerprint text not null,
        columns     text[] not null,
        applied_at  timestamptz not null default clock_timestamp()
      )`);
    // Salt of hashed columns: a bare SHA-256 of an e-mail address is found by trying. Only the capture functions' owner reads it.
    await runner.query(`
      create table if not exists observers.mask_salt (
        one  boolean primary key default true check (one),
        salt bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
      )`);
    await runner.query('insert into observers.mask_salt default values on conflict do nothing');
    await runner.query('revoke all on observers.mask_salt from public');
  }

  /** The triggers go first (`capture remove`); the record of them is kept. */
  async down(): Promise<void> {}
}
