import { hostname } from 'node:os';
import type { ListenerStatus } from '../../status/status.service';

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
