import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: every application that writes its own change rows may put anything into them. We read without gaps by the transaction and the number
 * of a change, so neither is left to whoever writes:
 *
 * - a transaction far in the future (2^62) was delivered again and again, for ever: it is never behind the reader.
 * - a number of 2^63-1 is not one that a JSON number can hold; and one ahead of the sequence takes a number away from a later change,
 *   whose writer then fails.
 * - a time that is infinite, or none of the calendar, fails every statement that computes with it.
 *
 * The wake-up moves into the same function. Measured on PostgreSQL 15, CPU of one single-row INSERT into the log: 9.7 µs without a trigger (18: 14.8),
 * 12.7 (19.2) with the wake-up as a statement trigger with WHEN, for PostgreSQL reads the expression anew for each statement; 12.5 (18.7) with this one.
 * A WHEN that compares the transaction costs 2.2 µs, and with the number 5. In a statement of many rows: 3.5 → 5.3 µs a row (18: 4.8 → 7.2).
 */
export class ForcedChanges0020 implements MigrationInterface {
  readonly name = 'ForcedChanges1700000000020';

  async up(runner: QueryRunner): Promise<void> {
    const [table] = (await runner.query(TABLE)) as Table[];
    for (const statement of statements(table ?? { sequence: null, timed: false })) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

interface Table {
  /** The sequence of an identity or serial column, qualified. An adopted table may take its numbers from elsewhere. */
  readonly sequence: string | null;
  /** Whether `created_at` is what the contract says. */
  readonly timed: boolean;
}

const TABLE = `
  select pg_get_serial_sequence('core.tb_entity_change_log', 'pk_entity_change_log') as sequence,
         exists (select from pg_attribute where attrelid = 'core.tb_entity_change_log'::regclass and attname = 'created_at'
                 and atttypid = 'timestamptz'::regtype) as timed`;

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const LARGEST = '9007199254740991';

/**
 * All that is usual is one expression, for each expression costs 0.3 us to set up. As its owner, for writers need no right to the sequence.
 * So no name may be found on the writer's path: each is qualified.
 */
const forced = ({ sequence, timed }: Table): string => {
  const ahead = sequence === null ? LARGEST : `pg_catalog.pg_sequence_last_value(${literal(sequence)}::pg_catalog.regclass)`;
  const another =
    sequence === null
      ? `raise exception 'a change number lies between 1 and 2^53-1, and % does not', new.pk_entity_change_log using errcode = '22003'`
      : `new.pk_entity_change_log = pg_catalog.nextval(${literal(sequence)}::pg_catalog.regclass)`;
  const xid = 'new.change_xid operator(pg_catalog.=) pg_catalog.pg_current_xact_id()';
  const number = `new.pk_entity_change_log operator(pg_catalog.>) 0 and new.pk_entity_change_log operator(pg_catalog.<=) ${ahead}`;
  const time = `new.created_at operator(pg_catalog.>) '0001-01-02 00:00:00+00'::pg_catalog.timestamptz
     and new.created_at operator(pg_catalog.<) '9999-12-30 00:00:00+00'::pg_catalog.timestamptz`;
  const awake = 'pg_catalog.pg_try_advisory_xact_lock_shared(1868718693, 1)';
  return `create or replace function observers.force_change() returns trigger language plpgsql security definer as $force$
begin
  if (${[xid, number, ...(timed ? [time] : []), awake].join('\n    and ')}) is not true then
    new.change_xid = pg_catalog.pg_current_xact_id();
    if (${number}) is not true then
      ${another};
    end if;${
      timed
        ? `
    if (${time}) is not true then
      new.created_at = pg_catalog.clock_timestamp();
    end if;`
        : ''
    }
    if not ${awake} then
      notify fraiseql_observers;
    end if;
  end if;
  return new;
end $force$`;
};

/** What a document has as text, in bytes; more than there can be when PostgreSQL cannot write it out (a jsonb may be too large for that). */
const textSize = (type: string): string => `
create or replace function observers.text_size(document ${type}) returns bigint language plpgsql stable strict
set search_path = pg_catalog, pg_temp as $size$
begin
  return octet_length(document::text);
exception when others then
  return 1::bigint << 40;
end $size$`;

const statements = (table: Table): string[] => [
  forced(table),
  'revoke all on function observers.force_change() from public',
  'drop trigger if exists observers_wake on core.tb_entity_change_log',
  'drop function if exists observers.wake_listener()',
  'drop trigger if exists observers_force on core.tb_entity_change_log',
  'create trigger observers_force before insert on core.tb_entity_change_log for each row execute function observers.force_change()',
  'alter table core.tb_entity_change_log enable always trigger observers_force',
  textSize('json'),
  textSize('jsonb'),
];
