import type { EndpointState } from '../../resilience/endpoint-state';
import type { EndpointStatus, ListenerStatus, PendingCounts, StatusDetail, StreamStatus } from '../../status/status.service';
import { PENDING_STATES, type PendingState } from '../../event/pending-state';
import { shortTime } from '../dlq/item';
import { BREAK, colors, duration, print, printTable } from '../output';
import { instanceStateOf, type InstanceState } from './listener';

/** What `status --detailed` gives as JSON beside the summary. */
export interface Detailed extends StatusDetail {
  /** The leading instance's; null when none answers, and what is in its memory cannot be known. */
  readonly leading: InstanceState | null;
}

export const leaderOf = ({ listeners }: StatusDetail): ListenerStatus | null =>
  listeners.find(({ leads, alive }) => leads && alive) ?? null;

export async function detailOf(detail: StatusDetail): Promise<Detailed> {
  const leader = leaderOf(detail);
  return { ...detail, leading: leader === null ? null : await instanceStateOf(leader) };
}

export function printDetail(detail: Detailed, { gone, captureDrift }: StreamStatus): void {
  const ofObservers = statesShown(detail.observers);
  section('observers', 'nothing waits or lies dead of any', detail.observers, ({ observer, dead, ...counts }) => [
    observer, ...ofObservers.map((state) => counts[state]), dead === 0 ? '0' : colors.red(String(dead)),
  ], ['observer', ...ofObservers, 'dead']); // prettier-ignore
  const breakers = breakersOf(detail);
  const endpoints = endpointsOf(detail);
  const ofEndpoints = statesShown(endpoints);
  section('endpoints', 'nothing waits for any, and none is in trouble', endpoints, ({ endpoint, dead, ...counts }) => [
    endpoint, breakers(endpoint, gone.some((one) => one.endpoint === endpoint)), inMemory(detail, endpoint), ...ofEndpoints.map((state) => counts[state]), dead,
  ], ['endpoint', 'breaker', 'for a place', ...ofEndpoints, 'dead']); // prettier-ignore
  if (detail.leading === null) print(colors.yellow('Breakers, and what waits in memory, are unknown: no service answers for the stream.'));
  else if (detail.leading.source === 'heartbeat') print(colors.dim(`Breakers are as of the last heartbeat, ${duration(detail.leading.age)} ago.`)); // prettier-ignore
  section('listeners', 'none', detail.listeners, ({ id, version, address, alive, leads, heartbeatAgeSeconds, startedAt }) => [
    id, version, address, alive ? (leads ? colors.green('leads') : 'stands by') : colors.red('silent'), `${duration(heartbeatAgeSeconds)} ago`, shortTime(startedAt),
  ], ['listener', 'version', 'address', 'state', 'heartbeat', 'since']); // prettier-ignore
  for (const { id, alive, timers } of detail.listeners)
    if (alive && timers.length > 0) print(colors.dim(`${id} does again and again: ${timers.join(', ')}`));
  const untold = 'unknown: no service leads, or it has not looked yet';
  section('capture', captureDrift === null ? untold : 'every table is captured as the observers file asks', captureDrift ?? [], ({ table, entity, state, since, reasons }) => [
    table, entity, colors.red(state), shortTime(since), reasons.join('; '),
  ], ['table', 'entity', 'state', 'since', 'why']); // prettier-ignore
  section('dead letters', 'none', detail.dead, ({ kind, error, count, oldest }) => [kind, error, count, shortTime(oldest)], ['kind', 'error', 'count', 'oldest']); // prettier-ignore
  section('open transactions', 'none is older than 10 s', detail.transactions, ({ pid, user, application, state, transactionSeconds, querySeconds }) => [
    pid, user, application, state, duration(transactionSeconds), querySeconds === null ? null : duration(querySeconds),
  ], ['pid', 'user', 'application', 'state', 'open for', 'query for']); // prettier-ignore
  if (detail.transactions.length > 0)
    print(colors.dim('Only their own changes wait for them. To end one: select pg_terminate_backend(PID), or rollback prepared GID'));
}

/** On a terminal, where eleven columns have no room, those in which anything stands. */
function statesShown(counts: readonly PendingCounts[]): readonly PendingState[] {
  return process.stdout.isTTY ? PENDING_STATES.filter((state) => counts.some((one) => one[state] > 0)) : PENDING_STATES;
}

function section<T>(
  title: string,
  none: string,
  items: readonly T[],
  row: (item: T) => (string | number | null)[],
  head: readonly string[],
): void {
  print(`${BREAK}${colors.bold(title)}`);
  if (items.length === 0) print(colors.dim(none));
  else printTable(head, items.map(row));
}

/** Those of which something stands in PostgreSQL, and those that the leader has trouble with. */
function endpointsOf(detail: Detailed): EndpointStatus[] {
  const none = { scheduled: 0, queued: 0, running: 0, retrying: 0, waiting: 0, parked: 0, paused: 0, dead: 0 };
  const troubled = [...Object.keys(detail.leading?.breakers ?? {}), ...(leaderOf(detail)?.endpoints ?? []).map(({ name }) => name)];
  const known = new Set(detail.endpoints.map(({ endpoint }) => endpoint));
  return [...detail.endpoints, ...[...new Set(troubled)].filter((name) => !known.has(name)).map((endpoint) => ({ endpoint, ...none }))];
}

const lastSaid = (detail: Detailed, endpoint: string): EndpointState | undefined =>
  leaderOf(detail)?.endpoints.find(({ name }) => name === endpoint);

function breakersOf(detail: Detailed): (endpoint: string, gone: boolean) => string {
  const { leading } = detail;
  return (endpoint, gone) => {
    if (gone) return colors.red('gone (410)');
    if (leading === null) return 'unknown';
    const state = leading.breakers === null ? lastSaid(detail, endpoint)?.breaker?.state : leading.breakers[endpoint];
    return state === undefined ? 'closed' : state === 'open' ? colors.red(state) : colors.yellow(state);
  };
}

function inMemory(detail: Detailed, endpoint: string): string | number {
  return detail.leading === null ? 'unknown' : (lastSaid(detail, endpoint)?.waiting ?? 0);
}
