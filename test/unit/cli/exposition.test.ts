import { Gauge, Histogram, Registry } from 'prom-client';
import { labelsOf, parseScrape, quantileOf, sumOf } from '../../../src/cli/metrics/exposition';

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
  expect(quantileOf(scrape, 'h', 0.25)).toBe(0.5);
  expect(quantileOf(scrape, 'h', 0.75)).toBe(3);
  expect(quantileOf(scrape, 'h', 0.5, { type: 'b' })).toBe(3);
  expect(quantileOf(scrape, 'empty', 0.5)).toBeNull();
});

test('what lies beyond the last bucket is said to be at least that', async () => {
  const scrape = await scrapeOf((registry) => new Histogram({ name: 'h', help: 'h', buckets: [1], registers: [registry] }).observe(60));
  expect(quantileOf(scrape, 'h', 0.99)).toBe(1);
});
