import { Gauge, Histogram, Registry } from 'prom-client';
import { bucketsOf, labelsOf, parseScrape, quantileOf, sumOf } from '../../../src/cli/metrics/exposition';
import { summaryLines, summaryOf } from '../../../src/cli/metrics/summary';

const scrapeOf = async (fill: (registry: Registry) => void): Promise<ReturnType<typeof parseScrape>> => {
  const registry = new Registry();
  registry.setDefaultLabels({ stream: 'main' });
  fill(registry);
  return parseScrape(await registry.metrics());
};

test('labels with quotes, backslashes, braces and line breaks come back as they were', async () => {
  const names = ['plain', 'a "b" \\ c', '{x="y"} 3', 'two\nlines', ''];
  const scrape = await scrapeOf((registry) => {
    const gauge = new Gauge({ name: 'g', help: 'A gauge.', labelNames: ['name'], registers: [registry] });
    names.forEach((name, i) => gauge.set({ name }, i + 1));
  });
  expect(labelsOf(scrape, 'g', 'name')).toEqual(names);
  expect(names.map((name) => sumOf(scrape, 'g', { name }))).toEqual([1, 2, 3, 4, 5]);
  expect(sumOf(scrape, 'g')).toBe(15);
  expect(sumOf(scrape, 'g', { name: 'unknown' })).toBeNull();
  expect(scrape.help.get('g')).toBe('A gauge.');
});

test('a quantile is interpolated within its bucket, over all series; an empty histogram has none', async () => {
  const scrape = await scrapeOf((registry) => {
    const histogram = new Histogram({ name: 'h', help: 'h', labelNames: ['type'], buckets: [1, 2, 4], registers: [registry] });
    for (let i = 0; i < 10; i++) histogram.observe({ type: 'a' }, 0.5);
    for (let i = 0; i < 10; i++) histogram.observe({ type: 'b' }, 3);
    new Histogram({ name: 'empty', help: 'e', buckets: [1], registers: [registry] });
  });
  expect(quantileOf(bucketsOf(scrape, 'h'), 0.25)).toBe(0.5);
  expect(quantileOf(bucketsOf(scrape, 'h'), 0.75)).toBe(3);
  expect(quantileOf(bucketsOf(scrape, 'h', { type: 'b' }), 0.5)).toBe(3);
  expect(quantileOf(bucketsOf(scrape, 'empty'), 0.5)).toBeNull();
});

test('what lies beyond the last bucket has no value', async () => {
  const scrape = await scrapeOf((registry) => new Histogram({ name: 'h', help: 'h', buckets: [1], registers: [registry] }).observe(60));
  expect(quantileOf(bucketsOf(scrape, 'h'), 0.99)).toBe(Infinity);
});

test.each([
  ['one', [0.02], 'within 50 ms   of 1: too few for percentiles'],
  ['three', [0.02, 0.02, 0.7], 'all within 1 s   of 3: too few for percentiles'],
  ['three, one of them beyond the last bucket', [0.02, 0.02, 60], 'the slowest more than 1 s   of 3: too few for percentiles'],
  ['forty', [...Array<number>(39).fill(0.02), 0.7], 'p50 about 25.6 ms, all within 1 s   of 40: too few for a p99'],
  [
    'forty, most beyond the last bucket',
    [...Array<number>(39).fill(60), 0.7],
    'p50 more than 1 s, the slowest more than 1 s   of 40: too few for a p99',
  ],
  ['two hundred', Array<number>(200).fill(0.02), 'p50 about 25 ms, p99 about 49.5 ms   of 200'],
  [
    'two hundred, some beyond the last bucket',
    [...Array<number>(190).fill(0.02), ...Array<number>(10).fill(60)],
    'p50 about 26.3 ms, p99 more than 1 s   of 200',
  ],
])('of %s the summary says what can be said', async (_how, values, line) => {
  const scrape = await scrapeOf((registry) => {
    const name = 'observer_end_to_end_latency_seconds';
    const histogram = new Histogram({ name, help: 'h', buckets: [0.05, 1], registers: [registry] });
    for (const value of values) histogram.observe(value);
  });
  const lines = Object.fromEntries(summaryLines(summaryOf('here', scrape, scrape, 1)));
  expect(lines['write to done']).toBe(line);
});
