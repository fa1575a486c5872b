import { hostname } from 'node:os';
import type { EndpointState } from '../../resilience/endpoint-state';
import type { RedisState } from '../../event/redis-state';
import type { ListenerStatus } from '../../status/status.service';
import { ExitCode, OperatorError } from '../../event/errors';
import { toTheSecond } from '../../event/clock';
import { colors, counted, duration, print } from '../output';

/** What an instance says of itself, and how old that is. */
export interface InstanceState {
  readonly source: 'live' | 'heartbeat';
  /** Seconds; 0 for live values. */
  readonly age: number;
  readonly inFlight: number;
  /** Breakers that are not closed. Null: its last heartbeat names those that had trouble then, in `endpoints`. */
  readonly breakers: Readonly<Record<string, 'half-open' | 'open'>> | null;
}

/** An instance on this machine answers at once or not at all. */
const TIMEOUT = 1_000;
const STATES = { 1: 'half-open', 2: 'open' } as const;

/** Asks an instance that runs on this machine; of all others, and when it does not answer, its last heartbeat counts. */
export async function instanceStateOf(listener: ListenerStatus): Promise<InstanceState | null> {
  const live = listener.alive && listener.host === hostname() && listener.address !== null ? await ask(listener.address) : null;
  if (live !== null) return live;
  // The last words of a silent instance are history.
  return listener.alive ? { source: 'heartbeat', age: listener.heartbeatAgeSeconds, inFlight: listener.inFlight, breakers: null } : null;
}

async function ask(address: string): Promise<InstanceState | null> {
  const { labelsOf, parseScrape, sumOf } = await import('../metrics/exposition');
  try {
    const answer = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(TIMEOUT) });
    const scrape = parseScrape(answer.ok ? await answer.text() : '');
    const inFlight = sumOf(scrape, 'observer_in_flight');
    if (inFlight === null) return null;
    const names = labelsOf(scrape, 'observer_circuit_state', 'endpoint');
    const states = names.flatMap((endpoint) => {
      const state = STATES[sumOf(scrape, 'observer_circuit_state', { endpoint }) as 1 | 2];
      return (state as string | undefined) === undefined ? [] : [[endpoint, state] as const];
    });
    return { source: 'live', age: 0, inFlight, breakers: Object.fromEntries(states) };
  } catch {
    // It is in another network namespace, asks for a token, or is about to end.
    return null;
  }
}

/** The one that is meant: by its whole id, or by a beginning that only one has. @throws OperatorError */
export function oneListener(found: readonly ListenerStatus[], id: string): ListenerStatus {
  const exact = found.find((listener) => listener.id === id) ?? (found.length === 1 ? found[0] : undefined);
  if (exact !== undefined) return exact;
  const remedy = 'Those that there are: fraiseql-observers status --detailed';
  if (found.length === 0)
    throw new OperatorError(`there is no listener ${id}; one that has stopped is forgotten within an hour`, remedy, ExitCode.notFound);
  throw new OperatorError(`${id} may be ${found.map((listener) => listener.id).join(' or ')}`, remedy);
}

export function printListener(listener: ListenerStatus, state: InstanceState | null): void {
  const { id, stream, host, pid, version, address, startedAt, heartbeatAgeSeconds, alive, leads, epoch, endpoints, timers } = listener;
  const doing = !alive
    ? colors.red('silent: it has ended, hangs, or cannot reach the database')
    : leads
      ? `leads (epoch ${epoch})`
      : 'stands by';
  const lines: [string, string][] = [
    ['listener', id],
    ['stream', stream],
    ['state', doing],
    ['process', `${pid} on ${host}, version ${version}, since ${toTheSecond(startedAt)}`],
    ['address', address ?? 'none: its probes do not listen'],
    ['heartbeat', `${duration(heartbeatAgeSeconds)} ago`],
    ['in flight', inFlight(state)],
    ['timers', timers.length === 0 ? 'none' : timers.join(', ')],
  ];
  if (state?.breakers != null)
    for (const [name, breaker] of Object.entries(state.breakers))
      lines.push(['endpoint', `${name}: breaker ${breaker === 'open' ? colors.red(breaker) : colors.yellow(breaker)}`]);
  // The last words of a silent instance would be history.
  else if (alive) for (const endpoint of endpoints) lines.push(['endpoint', describeEndpoint(endpoint)]);
  if (alive) for (const one of listener.redis) lines.push(['redis', describeRedis(one)]);
  for (const [label, value] of lines) print(`${colors.dim(label.padEnd(12))} ${value}`);
}

function inFlight(state: InstanceState | null): string {
  if (state === null) return 'unknown: it does not answer';
  return state.source === 'live'
    ? `${state.inFlight}, as it says now`
    : `${state.inFlight}, as of its last heartbeat ${duration(state.age)} ago`;
}

/** What Redis is used for, and how that is, in a line. */
export function describeRedis({ use, up, since, unanswered, reason }: RedisState): string {
  const missed = unanswered === 0 ? '' : `; ${counted(unanswered, 'call', 'calls')} without an answer since the start`;
  if (up) return `${use}: ${colors.green('answers')}${missed}`;
  return `${use}: ${colors.red('does not answer')} since ${toTheSecond(since)}, deliveries go on without${missed}: ${reason ?? ''}   (doctor)`;
}

/** An endpoint that is not simply working, in a line. */
export function describeEndpoint({ name, waiting, breaker }: EndpointState): string {
  const waits = counted(waiting, 'waits for a place', 'wait for a place');
  const others = waiting === 0 ? '' : `, ${waits}`;
  if (breaker === null) return `${name}: ${waits}`;
  const failed = `${breaker.failures} of ${counted(breaker.requests, 'request')} failed`;
  return breaker.state === 'open'
    ? `${name}: ${colors.red('breaker open')} (${failed}), next try in ${duration(breaker.probeIn / 1_000)}${others}`
    : `${name}: ${colors.yellow('breaker half-open')}, one delivery tries${others}`;
}
