import type { ClientBase } from 'pg';

/** A place in the order in which the log is walked: that of the reader's index, which leaves out the history from before us. */
export interface LogPlace {
  readonly xid: string;
  readonly number: string;
}

const BEGINNING: LogPlace = { xid: '0', number: '0' };

/** How long before the walk looks again at what it has passed: what was held back then may have ended since. Milliseconds. */
const AGAIN_AFTER = 3_600_000;

/** SQL: whether something still refers to the change with this number. Such a change and its attempts stay, however old they are. */
export const isReferredTo = (number: string): string => `(
  exists (select from observers.pending_delivery p where p.change_number = ${number})
  or exists (select from observers.dead_letter d where d.change_number = ${number} and d.resolved_at is null)
  or exists (select from observers.quarantine q where q.change_number = ${number} and q.resolved_at is null)
  or exists (select from observers.unaccounted u where u.change_number = ${number} and u.dismissed_at is null))`;

/** SQL: the transaction from which on somebody has still to read the log; null when nobody reads it. */
export const FLOOR = '(select passed from observers.log_readers() order by passed limit 1)';

// A page of so many rows at most, whatever is in it; and all of what decides about them in one snapshot. Young is a time that can be
// believed: a change that claims to be of next year says nothing about its neighbours.
const CUT = `
  with floor as materialized (
    select ${FLOOR} as xid
  ), replays as materialized (
    select now() - coalesce(min(made_at), now()) as age, min(begun_at_change) as behind from observers.open_replays()
  ), page as materialized (
    select l.pk_entity_change_log as number, l.change_xid as xid, l.created_at as at,
           l.created_at < now() - replays.age - $1::float8 * interval '1 ms' as old, l.created_at < now() + interval '1 h' as believable
    from core.tb_entity_change_log l, replays
    where (l.change_xid, l.pk_entity_change_log) > ($2::text::xid8, $3::bigint) and l.change_xid < (select xid from floor)
    order by l.change_xid, l.pk_entity_change_log limit $4
  ), free as materialized (
    select number from page, replays
    where old and (behind is null or number <= behind) and not ${isReferredTo('page.number')}
  ), gone as (
    delete from core.tb_entity_change_log l using free where l.pk_entity_change_log = free.number returning 1
  )
  select (select count(*)::int from page) as looked, (select count(*)::int from gone) as cut,
         (select coalesce(bool_or(not old and believable), false) from page) as young,
         (select page.xid::text from page order by page.xid desc, page.number desc limit 1) as xid,
         (select page.number::text from page order by page.xid desc, page.number desc limit 1) as number`;

/** Walks along the log from its old end, and cuts what nobody needs. Rows without a transaction are history from before us: not ours to remove. */
export class ChangeLogCut {
  private place = BEGINNING;
  private begunAt = 0;

  /** A round begins: where the last one ended, and now and then at the beginning. @param now milliseconds of any clock */
  begin(now: number): void {
    if (this.begunAt !== 0 && now - this.begunAt < AGAIN_AFTER) return;
    this.place = BEGINNING;
    this.begunAt = now;
  }

  /** Within a transaction that begins with `CUTTING`. @param retention milliseconds @returns how many rows it cut, and whether there is more to look at */
  async step(client: ClientBase, retention: number, batch: number): Promise<{ removed: number; more: boolean }> {
    const { xid: from, number: behind } = this.place;
    const { rows } = await client.query<{ looked: number; cut: number; young: boolean; xid: string | null; number: string | null }>(CUT, [
      retention,
      from,
      behind,
      batch,
    ]);
    const { looked = 0, cut = 0, young = false, xid = null, number = null } = rows[0] ?? {};
    if (young) return { removed: cut, more: cut > 0 && looked === batch };
    if (xid !== null && number !== null) this.place = { xid, number };
    return { removed: cut, more: looked === batch };
  }
}
