import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: the service makes a partition of `observers.attempt` for each day, and drops old ones. Only an owner may, and a service that owns
 * its tables may do anything with them. So these two statements belong to the owner, and the service may call them.
 *
 * Both need the table for themselves for a moment. Behind somebody who reads it for long (a backup, a report) they give up after a quarter
 * of a second rather than hold up every delivery that queues behind them; the next minute tries again, and what finds no partition lies in
 * the default one.
 */
export class AttemptPartitions0021 implements MigrationInterface {
  readonly name = 'AttemptPartitions1700000000021';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const HEADER = `language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms'`;

const STATEMENTS = [
  `create or replace function observers.make_attempt_partitions(days_ahead integer) returns setof text ${HEADER} as $make$
   declare
     today date := (now() at time zone 'UTC')::date;
     first date;
     partition text;
   begin
     for ahead in 0..least(greatest(days_ahead, 0), 31) loop
       first := today + ahead;
       partition := 'attempt_' || to_char(first, 'YYYYMMDD');
       if to_regclass('observers.' || partition) is null then
         execute format('create table if not exists observers.%I partition of observers.attempt for values from (%L) to (%L)',
           partition, first::text || ' 00:00:00+00', (first + 1)::text || ' 00:00:00+00');
         return next partition;
       end if;
     end loop;
   end $make$`,
  `create or replace function observers.drop_attempt_partitions(retention interval) returns setof text ${HEADER} as $drop$
   declare
     partition text;
   begin
     for partition in
       select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'observers.attempt'::regclass and c.relname ~ '^attempt_\\d{8}$'
         and to_date(substr(c.relname::text, 9), 'YYYYMMDD') + 1 < (now() - retention) at time zone 'UTC' order by 1
     loop
       execute format('drop table if exists observers.%I', partition);
       return next partition;
     end loop;
   end $drop$`,
  'revoke all on function observers.make_attempt_partitions(integer) from public',
  'revoke all on function observers.drop_attempt_partitions(interval) from public',
];
