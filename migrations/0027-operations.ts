import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: afterwards somebody asks who has changed what. So every change by a person is a row, written in the transaction of the change: with it or not
 * at all. Where a row says already who decided something, a trigger makes the operation of it, so that no statement can forget it; elsewhere the
 * statement that changes says so itself. No secret is in it: no token, no data of an event, no condition.
 */
export class Operations0027 implements MigrationInterface {
  readonly name = 'Operations1700000000027';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  /** What people did is part of the record: going back means going forward. */
  async down(): Promise<void> {}
}

/** @param definer as the owner: who writes the table has no right on ours */
const trigger = (table: string, name: string, events: string, body: string, definer = false): string[] => [
  `create or replace function observers.${name}() returns trigger language plpgsql ${definer ? 'security definer' : ''} set search_path = pg_catalog, pg_temp as $$
   begin
     ${body}
     return null;
   end $$`,
  `revoke all on function observers.${name}() from public`,
  `drop trigger if exists operation on observers.${table}`,
  `create trigger operation ${events} execute function observers.${name}()`,
];

/** The names of the first of many. */
const FIRST = 100;

const STATEMENTS = [
  `create table if not exists observers.operation (
     number bigint generated always as identity primary key,
     at     timestamptz not null default clock_timestamp(),
     who    text not null,
     -- The program that the change came by, as it calls itself to PostgreSQL.
     via    text not null default current_setting('application_name'),
     what   text not null,
     -- What it was done to, and how many.
     items  jsonb not null,
     before jsonb,
     after  jsonb
   )`,

  // The service notes there too what became of an item.
  ...trigger(
    'dead_letter_event',
    'note_item_operation',
    'after insert on observers.dead_letter_event referencing new table as added for each statement',
    `insert into observers.operation (who, what, items, before, after)
     select who, 'dead letter: ' || what,
            jsonb_build_object('count', count(*), 'ids', to_jsonb((array_agg(dead_letter_id order by dead_letter_id))[1:${FIRST}]), 'note', regexp_replace(detail, '^(retry-all|replay) \\w+', '\\1')),
            jsonb_build_object('state', case what when 'skipped' then 'in its lane' when 'taken out of its lane' then 'in its lane' when 'retry taken back' then 'queued'
                                             when 'restored' then 'discarded' else 'dead' end),
            jsonb_build_object('state', case when what = 'retry asked for' then 'queued' when what in ('taken out of its lane', 'retry taken back', 'restored') then 'dead' else what end)
     from added where what not in ('died', 'died again', 'failed again', 'delivered') group by who, what, detail;`,
  ),
  ...trigger(
    'paused_observer',
    'note_pause_operation',
    'after insert or delete on observers.paused_observer for each row',
    `if tg_op = 'INSERT' then
       insert into observers.operation (who, what, items, before, after)
       values (new.paused_by, 'observer: paused', jsonb_build_object('stream', new.stream, 'observer', new.observer), '{"paused": false}',
               jsonb_build_object('paused', true, 'reason', new.reason));
     else
       insert into observers.operation (who, what, items, before, after)
       values (coalesce(nullif(current_setting('observers.asked_by', true), ''), session_user), 'observer: resumed',
               jsonb_build_object('stream', old.stream, 'observer', old.observer),
               jsonb_build_object('paused', true, 'by', old.paused_by, 'since', old.since, 'reason', old.reason), '{"paused": false}');
     end if;`,
  ),
  ...trigger(
    'checkpoint_reset',
    'note_reset_operation',
    'after insert on observers.checkpoint_reset for each row',
    `insert into observers.operation (who, what, items, before, after)
     values (new.reset_by, 'checkpoint: reset', jsonb_build_object('stream', new.stream, 'to', new.asked, 'reason', new.reason),
             jsonb_build_object('previous', new.from_previous::text, 'target', new.from_target::text, 'after', new.from_after),
             jsonb_build_object('previous', new.previous::text, 'target', new.target::text, 'after', new.after, 'skipped', new.skipped, 'readAgain', new.read_again));`,
  ),
  ...trigger(
    'unaccounted',
    'note_dismissal_operation',
    'after update on observers.unaccounted referencing old table as former new table as latter for each statement',
    `insert into observers.operation (who, what, items, before, after)
     select n.dismissed_by, 'audit: dismissed',
            jsonb_build_object('stream', n.stream, 'count', count(*), 'reason', n.reason, 'deliveries', to_jsonb((array_agg(jsonb_build_object(
              'change', n.change_number, 'observer', n.observer, 'action', n.action) order by n.change_number, n.observer, n.action))[1:${FIRST}])),
            '{"state": "unaccounted"}', '{"state": "dismissed"}'
     from latter n join former o using (stream, change_number, observer, action)
     where n.dismissed_at is not null and o.dismissed_at is null group by n.stream, n.dismissed_by, n.reason;`,
  ),
  ...trigger(
    'replay',
    'note_replay_operation',
    'after update on observers.replay for each row when (new.asked > old.asked)',
    // The name is the signature of a token: as much of it as tells one from another.
    `insert into observers.operation (who, what, items, before, after)
     values (new.who, 'replay: sent', jsonb_build_object('replay', left(new.id, 8), 'count', new.asked - old.asked),
             jsonb_build_object('change', old.after, 'count', old.asked), jsonb_build_object('change', new.after, 'count', new.asked));`,
  ),
  // Whoever owns the tables may do this and the next, and may own nothing of ours.
  ...trigger(
    'backfill',
    'note_backfill_operation',
    'after insert or update of state on observers.backfill for each row',
    `if tg_op = 'INSERT' then
       insert into observers.operation (who, what, items, before, after)
       values (new.started_by, 'backfill: begun', jsonb_build_object('backfill', new.id, 'table', new.relation, 'observers', to_jsonb(new.observers)),
               null, jsonb_build_object('state', new.state, 'expected', new.expected));
     elsif new.state <> old.state then
       insert into observers.operation (who, what, items, before, after)
       values (coalesce(new.ended_by, new.started_by), 'backfill: ' || new.state,
               jsonb_build_object('backfill', new.id, 'table', new.relation, 'observers', to_jsonb(new.observers)),
               jsonb_build_object('state', old.state), jsonb_build_object('state', new.state, 'done', new.done));
     end if;`,
    true,
  ),
  ...trigger(
    'captured_table',
    'note_capture_operation',
    'after insert or update or delete on observers.captured_table for each row',
    `if tg_op <> 'UPDATE' or new.fingerprint is distinct from old.fingerprint then
       insert into observers.operation (who, what, items, before, after)
       values (coalesce(nullif(current_setting('observers.asked_by', true), ''), session_user),
               case tg_op when 'DELETE' then 'capture: removed' else 'capture: applied' end,
               jsonb_build_object('table', case tg_op when 'DELETE' then old.relation else new.relation end),
               case tg_op when 'INSERT' then null else jsonb_build_object('fingerprint', old.fingerprint) end,
               case tg_op when 'DELETE' then null else jsonb_build_object('fingerprint', new.fingerprint) end);
     end if;`,
    true,
  ),
];
