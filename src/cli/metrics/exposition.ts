/** One series of a scrape. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  readonly samples: readonly MetricSample[];
  /** By metric. */
  readonly help: ReadonlyMap<string, string>;
}

/** Reads what our own registry writes: Prometheus' text format without timestamps and exemplars. */
export function parseScrape(text: string): Scrape {
  const samples: MetricSample[] = [];
  const help = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, described, words] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (described !== undefined) help.set(described, words ?? '');
    const [, name, labels = '', value] = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    if (name === undefined) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, quoted]) => [label, unescape(quoted ?? '')] as const);
    samples.push({ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) });
  }
  return { samples, help };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_all, letter: string) => (letter === 'n' ? '\n' : letter));
}

type Labels = Readonly<Record<string, string>>;

function samplesOf({ samples }: Scrape, name: string, labels: Labels): MetricSample[] {
  return samples.filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
}

/** The sum over all series of a metric that have these labels; null when there is none. */
export function sumOf(scrape: Scrape, name: string, labels: Labels = {}): number | null {
  const its = samplesOf(scrape, name, labels);
  return its.length === 0 ? null : its.reduce((sum, { value }) => sum + value, 0);
}

/** The values of a label, in the order in which they come. */
export function labelsOf({ samples }: Scrape, name: string, label: string): string[] {
  return [...new Set(samples.filter((sample) => sample.name === name).flatMap(({ labels }) => labels[label] ?? []))];
}

export interface Bucket {
  /** Upper bound; the last one is open: Infinity. */
  readonly le: number;
  /** Values up to it. */
  readonly count: number;
}

/** A histogram over all of its series that have these labels. */
export function bucketsOf(scrape: Scrape, histogram: string, labels: Labels = {}): Bucket[] {
  const counts = new Map<number, number>();
  for (const { labels: its, value } of samplesOf(scrape, `${histogram}_bucket`, labels)) {
    const le = its['le'] === '+Inf' ? Infinity : Number(its['le']);
    counts.set(le, (counts.get(le) ?? 0) + value);
  }
  return [...counts].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le);
}

/** Interpolated within its bucket as Prometheus does; Infinity in the open one, of which only the lower bound is known, and null when there is nothing. */
export function quantileOf(buckets: readonly Bucket[], quantile: number): number | null {
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return null;
  let [lower, below] = [0, 0];
  for (const { le, count } of buckets) {
    if (count >= quantile * all) return le === Infinity ? Infinity : lower + ((le - lower) * (quantile * all - below)) / (count - below);
    [lower, below] = [le, count];
  }
  return Infinity;
}
