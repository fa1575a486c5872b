import type { EndpointState } from '../../resilience/endpoint-state';
import type { ListenerStatus } from '../../status/status.service';
import { ExitCode, OperatorError } from '../../event/errors';
import { toTheSecond } from '../../event/clock';
import { colors, duration, print } from '../output';
import type { InstanceState } from './live';

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
  const doing = !alive ? colors.red('silent: it has ended, or cannot reach the database') : leads ? `leads (epoch ${epoch})` : 'stands by';
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
  for (const [label, value] of lines) print(`${colors.dim(label.padEnd(12))} ${value}`);
}

function inFlight(state: InstanceState | null): string {
  if (state === null) return 'unknown: it does not answer';
  return state.source === 'live'
    ? `${state.inFlight}, as it says now`
    : `${state.inFlight}, as of its last heartbeat ${duration(state.age)} ago`;
}

/** An endpoint that is not simply working, in a line. */
export function describeEndpoint({ name, waiting, breaker }: EndpointState): string {
  const others = waiting === 0 ? '' : `, ${waiting} wait for a place`;
  if (breaker === null) return `${name}: ${waiting} wait for a place`;
  const failed = `${breaker.failures} of ${breaker.requests} requests failed`;
  return breaker.state === 'open'
    ? `${name}: ${colors.red('breaker open')} (${failed}), next try in ${duration(breaker.probeIn / 1_000)}${others}`
    : `${name}: ${colors.yellow('breaker half-open')}, one delivery tries${others}`;
}
