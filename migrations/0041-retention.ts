import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a day of attempts was dropped by its age alone. A service that had been stopped for longer than attempts are kept came back, and what it had sent
 * beyond its checkpoint was forgotten before it was read again: it was sent once more. Now a day goes when every reader of the log has passed its
 * changes, and the tries of what is still open move to the default partition first.
 *
 * `log_readers` is the one list of who reads the log by a place of its own. Whatever else comes to read it by a cursor is added there, by the migration
 * that makes that cursor, and nothing that it has not read is removed from then on.
 *
 * What people did is added to and never changed: no role of ours may delete an operation. So this statement belongs to the owner, and takes nothing that
 * is younger than thirty days, whoever calls it.
 */
export class Retention0041 implements MigrationInterface {
  readonly name = 'Retention1700000000041';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const SAFE_PATH = 'set search_path = pg_catalog, pg_temp';

// passed: nothing below it is needed any more. 0 where the place is of another cluster, or of a future that a restore has undone: until a person has
// decided where to go on, everything is needed.
const PASSED = (
  reader: string,
): string => `case when ${reader}.system_identifier = (select system_identifier::text from pg_control_system())
               and pg_snapshot_xmax(${reader}.previous) <= pg_snapshot_xmax(pg_current_snapshot())
              then pg_snapshot_xmin(${reader}.previous) else '0'::xid8 end`;
const READERS = `
create or replace function observers.log_readers() returns table (reader text, place pg_snapshot, passed xid8) language sql stable ${SAFE_PATH} as $readers$
  select 'stream ' || c.stream, c.previous, ${PASSED('c')} from observers.checkpoint c
  union all
  select format('search index %s %s', f.index_name, f.generation), f.previous, ${PASSED('f')} from observers.search_feed f where f.active
$readers$`;

// A replay that was shown, and is not done: as long as its token counts it is told by the attempts what was delivered, and reads the log.
const REPLAYS = `
create or replace function observers.open_replays() returns table (token text, made_at timestamptz, begun_at_change bigint) language sql stable ${SAFE_PATH} as $replays$
  select s.token, s.made_at, r.after
  from observers.item_set s left join observers.replay r on r.id = s.token
  where s.use = 'replay' and s.cancelled_at is null and s.expires_at > clock_timestamp() and r.finished_at is null
$replays$`;

/** Changes that somebody has not passed: with more of them, nothing of attempts is dropped until the stream has come closer. */
const FAR_BEHIND = 100_000;
/** Attempts of a day that are moved at most: they are written while nobody else may write. With more of them the day stays. */
const MOST_MOVED = 2_000;

// One day a call, so that each is a transaction of its own. Behind somebody who has the table for longer it gives up after 20 ms: what delivers waits
// behind it for no longer than that, and whoever calls tries again.
const DROP = `
create or replace function observers.drop_attempt_partitions(retention interval) returns setof text language plpgsql security definer ${SAFE_PATH}
set lock_timeout = '20ms' as $drop$
declare
  kept_from timestamptz := least(now(), (select min(made_at) from observers.open_replays())) - retention;
  places pg_snapshot[];
  floor xid8;
  behind bigint;
  lowest bigint;
  partition text;
  day timestamptz;
  is_needed boolean;
  kept observers.attempt[];
begin
  perform 1 from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'observers.attempt'::regclass and c.relname ~ '^attempt_\\d{8}$'
    and (to_date(substr(c.relname::text, 9), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' < kept_from;
  if not found then
    return;
  end if;
  -- Two that move the same attempts would have them twice.
  perform pg_advisory_xact_lock(1868718693, 3);
  -- PostgreSQL 14 has no min() of transactions.
  select array_agg(place), (array_agg(passed order by passed))[1] into places, floor from observers.log_readers();
  if floor is null or floor = '0'::xid8 then
    return;
  end if;
  select count(*), min(pk) into behind, lowest from (
    select l.pk_entity_change_log as pk from core.tb_entity_change_log l
    where l.change_xid >= floor and exists (select from unnest(places) place where not pg_visible_in_snapshot(l.change_xid, place))
    limit ${FAR_BEHIND}) unread;
  if behind = ${FAR_BEHIND} then
    return;
  end if;
  for partition, day in
    select c.relname::text, to_date(substr(c.relname::text, 9), 'YYYYMMDD')::timestamp at time zone 'UTC'
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'observers.attempt'::regclass and c.relname ~ '^attempt_\\d{8}$'
      and (to_date(substr(c.relname::text, 9), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' < kept_from
    order by 1
  loop
    if lowest is not null then
      execute format('select exists (select from observers.%I where change_number >= $1)', partition) into is_needed using lowest;
      continue when is_needed;
    end if;
    select array_agg(a) into kept from (
      select a from observers.attempt a
      where a.finished_at >= day and a.finished_at < day + interval '24 hours' and a.change_number in (
        select change_number from observers.pending_delivery
        union select change_number from observers.dead_letter where resolved_at is null
        union select change_number from observers.quarantine where resolved_at is null
        union select change_number from observers.unaccounted where dismissed_at is null)
      limit ${MOST_MOVED + 1}) o(a);
    continue when cardinality(kept) > ${MOST_MOVED};
    execute format('drop table observers.%I', partition);
    insert into observers.attempt select k.* from unnest(kept) k;
    return next partition;
    return;
  end loop;
end $drop$`;

const OPERATIONS = `
create or replace function observers.cut_operations(retention interval, most integer) returns integer language plpgsql security definer ${SAFE_PATH}
set lock_timeout = '1s' as $cut$
declare
  removed integer;
begin
  delete from observers.operation
  where number in (select number from observers.operation order by number limit least(most, 10000))
    and at < now() - greatest(retention, interval '30 days');
  get diagnostics removed = row_count;
  return removed;
end $cut$`;

const STATEMENTS = [
  READERS,
  REPLAYS,
  // What it gives is the same; the first one took away all days at once.
  DROP,
  OPERATIONS,
  'create index if not exists dead_letter_resolved on observers.dead_letter (resolved_at) where resolved_at is not null',
  'revoke all on function observers.drop_attempt_partitions(interval) from public',
  'revoke all on function observers.cut_operations(interval, integer) from public',
  'grant execute on function observers.log_readers(), observers.open_replays() to public',
];
