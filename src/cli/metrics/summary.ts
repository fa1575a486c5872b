import { counted, duration } from '../output';
import { bucketsOf, labelsOf, quantileOf, sumOf, type Scrape } from './exposition';

export interface LatencySummary {
  readonly count: number;
  /** Seconds, interpolated within the buckets of the histogram. Null: they are too few for it, or it is more than `lastBound`. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Seconds that the slowest did not exceed; null: they are more than `lastBound`. */
  readonly within: number | null;
  /** Seconds beyond which the histogram tells nothing apart. */
  readonly lastBound: number;
}

/** Below these numbers a percentile is one of the values, or a guess. */
const FEWEST = { p50: 10, p99: 100 } as const;

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
  const buckets = bucketsOf(scrape, histogram, labels);
  const count = buckets.at(-1)?.count ?? 0;
  if (count === 0) return null;
  const known = (quantile: number, fewest: number): number | null => {
    const value = count < fewest ? null : quantileOf(buckets, quantile);
    return value === Infinity ? null : value;
  };
  const slowest = buckets.find((bucket) => bucket.count === count)?.le ?? Infinity;
  return {
    count,
    p50: known(0.5, FEWEST.p50),
    p99: known(0.99, FEWEST.p99),
    within: slowest === Infinity ? null : slowest,
    lastBound: buckets.findLast(({ le }) => le !== Infinity)?.le ?? 0,
  };
}

export function summaryLines(summary: MetricsSummary): [string, string][] {
  const { address, events, tries, triesPerSecond, failureRate, failures, actions, endToEnd, cacheHitRate, lag, openBreakers } = summary;
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  return [
    ['service', address],
    ['events', `${events.processed} processed, ${Math.round(events.perSecond)}/s now`],
    ['tries', counts(tries) === '' ? 'none yet' : `${counts(tries)}; ${Math.round(triesPerSecond)}/s now`],
    ...(failureRate === null ? [] : [['failure rate', `${percent(failureRate)}${counts(failures) === '' ? '' : `: ${counts(failures)}`}`] as [string, string]]),
    ...Object.entries(actions).map(([type, its]): [string, string] => [type, latencyText(its)]),
    ...(endToEnd === null ? [] : [['write to done', latencyText(endToEnd)] as [string, string]]),
    ...Object.entries(cacheHitRate).map(([name, hits]): [string, string] => ['look-up', `${name}: ${percent(hits)} from the cache`]),
    ['lag', lag.events === null ? 'unknown: the service cannot read it' : lag.events === 0 ? 'none' : `${counted(lag.events, 'event')}, ${duration(lag.seconds ?? 0)}`],
    ...openBreakers.map((endpoint): [string, string] => ['breaker', `${endpoint} is not closed   (status)`]),
  ]; // prettier-ignore
}

/** `p50 about 3.8 ms, p99 about 9.9 ms   of 1200`; of few what is known of them. */
function latencyText({ count, p50, p99, within, lastBound }: LatencySummary): string {
  const about = (value: number | null): string => (value === null ? `more than ${shown(lastBound)}` : `about ${shown(value)}`);
  if (count >= FEWEST.p99) return `p50 ${about(p50)}, p99 ${about(p99)}   of ${count}`;
  const whole =
    within === null ? `the slowest more than ${shown(lastBound)}` : count === 1 ? `within ${shown(within)}` : `all within ${shown(within)}`;
  return count >= FEWEST.p50
    ? `p50 ${about(p50)}, ${whole}   of ${count}: too few for a p99`
    : `${whole}   of ${count}: too few for percentiles`;
}

function shown(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 10_000) / 10} ms` : duration(seconds);
}

function percent(part: number): string {
  return `${Math.round(part * 1_000) / 10} %`;
}
