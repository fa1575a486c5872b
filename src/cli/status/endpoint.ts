import type { EndpointState } from '../../resilience/endpoint-state';
import { colors, duration } from '../output';

/** An endpoint that is not simply working, in a line. */
export function describeEndpoint({ name, waiting, breaker }: EndpointState): string {
  const others = waiting === 0 ? '' : `, ${waiting} wait for a place`;
  if (breaker === null) return `${name}: ${waiting} wait for a place`;
  const failed = `${breaker.failures} of ${breaker.requests} requests failed`;
  return breaker.state === 'open'
    ? `${name}: ${colors.red('breaker open')} (${failed}), next try in ${duration(breaker.probeIn / 1_000)}${others}`
    : `${name}: ${colors.yellow('breaker half-open')}, one delivery tries${others}`;
}
