/** SQL: the hour of a moment, in UTC, as RFC 3339. */
export const hourOf = (moment: string): string => `to_char(date_trunc('hour', ${moment} at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

/** What the service itself notes about a dead letter stands among its tries. */
const BY_THE_SERVICE = `('died', 'died again', 'failed again', 'delivered')`;

/** SQL: what came of changes, a text of lines for each (`change`, `text`); both drivers look in the same. @param of a table with `change` */
export const LINES_OF_CHANGES = {
  errors: (of: string): string => `
    select change, string_agg(distinct concat_ws(': ', error, message), E'\\n') as text from (
      select l.change, a.error, a.message from ${of} l join observers.attempt a on a.change_number = l.change and a.error is not null
      union all select l.change, d.error, d.message from ${of} l join observers.dead_letter d on d.change_number = l.change
      union all select l.change, q.reason, q.message from ${of} l join observers.quarantine q on q.change_number = l.change) e
    group by change`,
  notes: (of: string): string => `
    select change, string_agg(distinct note, E'\\n') as text from (
      select l.change, concat_ws(' ', a.observer, a.action, a.outcome) || ': ' || a.message as note
      from ${of} l join observers.attempt a on a.change_number = l.change and a.error is null and a.message is not null
      union all select l.change, concat_ws(' ', e.who, e.what, d.observer, d.action) || coalesce(': ' || e.detail, '')
      from ${of} l join observers.dead_letter d on d.change_number = l.change join observers.dead_letter_event e on e.dead_letter_id = d.id
      where e.what not in ${BY_THE_SERVICE}) n
    group by change`,
} as const;
