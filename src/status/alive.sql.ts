/** Of instances of earlier releases, which do not say when their next sign of life is due. */
const EARLIER_RELEASES = "interval '15 s'";

/** SQL: whether the session on record of a row is open: after kill -9 it is gone at once. Without one (behind a pooler) only time counts. */
const sessionIsOpen = (row: string): string => `
  (${row}.backend_pid is null or pg_is_in_recovery() or exists (
     select from pg_stat_activity a where a.pid = ${row}.backend_pid and coalesce(a.backend_start = ${row}.backend_start, true)))`;

/** SQL: whether the instance of a row of observers.listener gives its signs of life. */
export const isAlive = (row: string): string => `
  (coalesce(${row}.alive_until, ${row}.heartbeat_at + ${EARLIER_RELEASES}) > clock_timestamp() and ${sessionIsOpen(row)})`;

/** SQL: whether the holder of a row of observers.lease leads: it may, and is there to do it. */
export const isLeading = (row: string): string => `
  (${row}.expires_at > clock_timestamp() and ${sessionIsOpen(row)} and not exists (
     select from observers.listener silent where silent.id = ${row}.holder and not ${isAlive('silent')}))`;

/**
 * SQL: the state of a row of observers.pending_delivery. One that was claimed by an instance that is gone is not running: it waits for
 * the next leader.
 */
export const stateOf = (row: string): string => `
  case when ${row}.state = 'running' and coalesce(${row}.claimed_by, '') <> all (array(
    select claimant.id from observers.listener claimant where ${isAlive('claimant')})) then 'queued' else ${row}.state end`;

/** SQL: when a row of observers.pending_delivery goes, or its next try does; null where no time is set. */
export const goesAt = (row: string): string => `
  case when isfinite(${row}.next_attempt_at) and ${row}.state in ('scheduled', 'retrying', 'paused') then ${row}.next_attempt_at end`;
