import { duration } from '../output';
import { labelsOf, quantileOf, sumOf, type Scrape } from './exposition';

export interface LatencySummary {
  readonly count: number;
  /** Seconds, interpolated within the buckets of the histogram. */
  readonly p50: number;
  readonly p99: number;
}

/** Since the service started, and per second between two scrapes. */
export interface MetricsSummary {
  readonly address: string;
  readonly events: { readonly processed: number; readonly perSecond: number };
  readonly tries: Readonly<Record<string, number>>;
  readonly triesPerSecond: number;
  /** Part of the tries that failed; null when there was none. */
  readonly failureRate: number | null;
  readonly failures: Readonly<Record<string, number>>;
  readonly actions: Readonly<Record<string, LatencySummary>>;
  readonly endToEnd: LatencySummary | null;
  readonly cacheHitRate: Readonly<Record<string, number>>;
  readonly lag: { readonly events: number | null; readonly seconds: number | null };
  readonly openBreakers: readonly string[];
}

export function summaryOf(address: string, before: Scrape, now: Scrape, seconds: number): MetricsSummary {
  const rate = (name: string): number => ((sumOf(now, name) ?? 0) - (sumOf(before, name) ?? 0)) / seconds;
  const by = (name: string, label: string): Record<string, number> =>
    Object.fromEntries(labelsOf(now, name, label).map((value) => [value, sumOf(now, name, { [label]: value }) ?? 0]));
  // Counters begin at 0, for everything that can happen.
  const happened = (counts: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  const tries = happened(by('observer_actions_executed_total', 'outcome'));
  const all = Object.values(tries).reduce((sum, count) => sum + count, 0);
  const failures = happened(by('observer_actions_failed_total', 'error'));
  const types = labelsOf(now, 'observer_action_duration_seconds_count', 'action_type');
  return {
    address,
    events: { processed: sumOf(now, 'observer_events_processed_total') ?? 0, perSecond: rate('observer_events_processed_total') },
    tries,
    triesPerSecond: rate('observer_actions_executed_total'),
    failureRate: all === 0 ? null : Object.values(failures).reduce((sum, count) => sum + count, 0) / all,
    failures,
    actions: Object.fromEntries(
      types.flatMap((type) => {
        const latency = latencyOf(now, 'observer_action_duration_seconds', { action_type: type });
        return latency === null ? [] : [[type, latency]];
      }),
    ),
    endToEnd: latencyOf(now, 'observer_end_to_end_latency_seconds'),
    cacheHitRate: by('observer_cache_hit_rate', 'lookup'),
    lag: { events: sumOf(now, 'observer_lag_events'), seconds: sumOf(now, 'observer_lag_seconds') },
    openBreakers: labelsOf(now, 'observer_circuit_state', 'endpoint').filter(
      (endpoint) => (sumOf(now, 'observer_circuit_state', { endpoint }) ?? 0) > 0,
    ),
  };
}

function latencyOf(scrape: Scrape, histogram: string, labels: Readonly<Record<string, string>> = {}): LatencySummary | null {
  const [p50, p99] = [quantileOf(scrape, histogram, 0.5, labels), quantileOf(scrape, histogram, 0.99, labels)];
  return p50 === null || p99 === null ? null : { count: sumOf(scrape, `${histogram}_count`, labels) ?? 0, p50, p99 };
}

export function summaryLines(summary: MetricsSummary): [string, string][] {
  const { address, events, tries, triesPerSecond, failureRate, failures, actions, endToEnd, cacheHitRate, lag, openBreakers } = summary;
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  const latency = ({ p50, p99, count }: LatencySummary): string => `p50 ${shown(p50)}, p99 ${shown(p99)}   of ${count}`;
  return [
    ['service', address],
    ['events', `${events.processed} processed, ${Math.round(events.perSecond)}/s now`],
    ['tries', counts(tries) === '' ? 'none yet' : `${counts(tries)}; ${Math.round(triesPerSecond)}/s now`],
    ...(failureRate === null ? [] : [['failure rate', `${percent(failureRate)}${counts(failures) === '' ? '' : `: ${counts(failures)}`}`] as [string, string]]),
    ...Object.entries(actions).map(([type, its]): [string, string] => [type, latency(its)]),
    ...(endToEnd === null ? [] : [['write to done', latency(endToEnd)] as [string, string]]),
    ...Object.entries(cacheHitRate).map(([name, hits]): [string, string] => ['look-up', `${name}: ${percent(hits)} from the cache`]),
    ['lag', lag.events === null ? 'unknown: the service cannot read it' : lag.events === 0 ? 'none' : `${lag.events} events, ${duration(lag.seconds ?? 0)}`],
    ...openBreakers.map((endpoint): [string, string] => ['breaker', `${endpoint} is not closed   (status)`]),
  ]; // prettier-ignore
}

function shown(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 10_000) / 10} ms` : duration(seconds);
}

function percent(part: number): string {
  return `${Math.round(part * 1_000) / 10} %`;
}
