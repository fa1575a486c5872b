import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { describeWith, isOnPath, type ForeignServer } from '../support/missing-server';
import type { MetricsSummary } from '../../src/cli/metrics/summary';
import { programOn } from '../support/redrive';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService, type TestService } from '../support/service';
import { eventually, untilLeading } from '../support/until';

const FILES = join(__dirname, '../../helm/files');
const ALERT_TESTS = join(__dirname, '../prometheus/rules.yaml');
const PROMTOOL: ForeignServer = { name: 'promtool', missing: () => (isOnPath('promtool') ? null : 'prometheus') };

/** What the product's documents promise. */
const PROMISED = [
  'events_processed_total',
  'events_matched_total',
  'actions_executed_total',
  'actions_failed_total',
  'dlq_items_total',
  'dead_letters_open',
  'quarantine_open',
  'listener_health',
  'action_duration_seconds',
  'event_processing_duration_seconds',
  'cache_hits_total',
  'cache_misses_total',
  'cache_hit_rate',
  'dedup_skips_total',
  'job_queue_depth',
  'lag_seconds',
  'lag_events',
  'end_to_end_latency_seconds',
  'checkpoint_age_seconds',
  'in_flight',
  'retrying',
  'parked',
  'circuit_state',
  'capture_errors_total',
  'quarantined_total',
  'lease_epoch',
  'failovers_total',
  'horizon_age_seconds',
  'capture_drift',
].map((name) => `observer_${name}`);

let database: TestDatabase;
let receiver: Receiver;
let service: TestService | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => {
    if (path === '/customer') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"plan":"gold"}');
    return void response.writeHead(path === '/refuse' ? 400 : 204).end();
  });
  await database.query('create table orders (id int primary key, note text)');
});

afterEach(async () => {
  await service?.stop();
  service = null;
  await receiver.close();
  await database.drop();
});

const fileOf = (observers: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints:
  works: { url: "${receiver.url}/works", allow_addresses: [loopback] }
  refuses: { url: "${receiver.url}/refuse", allow_addresses: [loopback], circuit_breaker: { minimum: 2, open_for: 1h } }
lookups: { customer: { url: "${receiver.url}/customer", allow_addresses: [loopback] } }
observers:
${observers}`;
const start = async (observers: string): Promise<void> => {
  service = await startTestService(database.url, { file: fileOf(observers) });
  await untilLeading(service.streams.main);
};
const scrape = async (): Promise<string> => {
  const { status, text, headers } = await request(`http://${service!.address}`).get('/metrics');
  expect(status).toBe(200);
  expect(headers['content-type']).toContain('text/plain');
  return text;
};
/** The value of a series, by its name and the labels that are given; undefined when there is none. */
const valueIn = (text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined => {
  const line = text
    .split('\n')
    .find(
      (one) =>
        one.startsWith(name) &&
        /[ {]/.test(one.charAt(name.length)) &&
        Object.entries(labels).every(([label, value]) => one.includes(`${label}="${value}"`)),
    );
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
};
/** Of the tries of all observers, whatever came of them. */
const outcomes = (text: string): number =>
  text.split('\n').reduce((sum, line) => sum + (/^observer_actions_executed_total[ {]/.test(line) ? Number(line.split(' ').at(-1)) : 0), 0);
const namesIn = (text: string): Set<string> => new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));

const ALL = `
  - { name: works, entity: Order, lookups: [customer], actions: [{ type: webhook, endpoint: works }] }
  - { name: refused, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: refuses }] }
  - { name: never, entity: Order, when: "false", actions: [{ type: log }] }
  - { name: once, entity: Order, dedup: { key: all, window: 1h }, actions: [{ type: log }] }`;

test('what happens to events, tries, dead letters, duplicates and look-ups is counted', async () => {
  await start(ALL);
  await database.query('insert into orders select i from generate_series(1, 3) i');
  await database.query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, extra_metadata) values
    ('Order', '1', 'SHRUG', null), ('Order', '1', 'UPDATE', '{"capture_error": "x"}')`);
  // An outcome is counted when it is on record, which is some time after the stream has passed its change.
  const text = await eventually(
    scrape,
    (now) =>
      valueIn(now, 'observer_events_processed_total') === 3 &&
      valueIn(now, 'observer_quarantined_total', { reason: 'unknown_verb' }) === 1 &&
      valueIn(now, 'observer_lag_events') === 0 &&
      outcomes(now) === 9,
  );
  expect(valueIn(text, 'observer_events_matched_total', { observer: 'works' })).toBe(3);
  expect(valueIn(text, 'observer_events_matched_total', { observer: 'never' })).toBe(0);
  expect(valueIn(text, 'observer_actions_executed_total', { observer: 'works', action_type: 'webhook', outcome: 'succeeded' })).toBe(3);
  expect(valueIn(text, 'observer_actions_executed_total', { observer: 'once', outcome: 'skipped' })).toBe(2);
  expect(valueIn(text, 'observer_dedup_skips_total', { observer: 'once' })).toBe(2);
  const refused = valueIn(text, 'observer_actions_failed_total', { observer: 'refused', error: 'http_status' });
  expect(refused).toBe(valueIn(text, 'observer_dlq_items_total', { observer: 'refused', error: 'http_status' }));
  expect(refused).toBeGreaterThan(0);
  expect(valueIn(text, 'observer_capture_errors_total')).toBe(1);
  expect(valueIn(text, 'observer_action_duration_seconds_count', { action_type: 'webhook' })).toBe(3 + refused!);
  expect(valueIn(text, 'observer_end_to_end_latency_seconds_count')).toBe(3);
  expect(
    valueIn(text, 'observer_cache_misses_total', { lookup: 'customer' })! +
      (valueIn(text, 'observer_cache_hits_total', { lookup: 'customer' }) ?? 0),
  ).toBe(3);
  expect(valueIn(text, 'observer_listener_health')).toBe(1);
  expect(valueIn(text, 'observer_lease_epoch')).toBe(1);
  expect(valueIn(text, 'observer_failovers_total')).toBe(1);
  for (const name of PROMISED) expect(namesIn(text)).toContain(name);
});

test('every counter that the configuration can bring about begins at 0, and so do those of a reload', async () => {
  await start(ALL);
  const text = await scrape();
  for (const [name, labels] of [
    ['observer_dlq_items_total', { observer: 'refused', error: 'http_status' }],
    ['observer_dlq_items_total', { observer: 'works', error: 'timeout' }],
    ['observer_actions_failed_total', { observer: 'works', action_type: 'webhook', error: 'connection' }],
    ['observer_actions_executed_total', { observer: 'works', action_type: 'webhook', outcome: 'dead' }],
    ['observer_actions_executed_total', { observer: 'once', action_type: 'log', outcome: 'skipped' }],
    ['observer_dedup_skips_total', { observer: 'once' }],
    ['observer_cache_hits_total', { lookup: 'customer' }],
    ['observer_quarantined_total', { reason: 'unknown_verb' }],
  ] as const)
    expect([name, labels, valueIn(text, name, labels)]).toEqual([name, labels, 0]);
  service!.rewrite(fileOf(`${ALL}\n  - { name: added, entity: Order, actions: [{ type: log }] }`));
  await service!.reloader.reload('test');
  expect(valueIn(await scrape(), 'observer_dlq_items_total', { observer: 'added', error: 'template' })).toBe(0);
});

test('an open breaker, a queue and dead letters that nobody has looked at show as they are', async () => {
  await start(`
  - { name: refused, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: refuses, name: one }] }`);
  await database.query('insert into orders select i from generate_series(1, 4) i');
  // A refusal says nothing about the receiver; answers of 500 do.
  receiver.answer = (_request, response) => void response.writeHead(500).end();
  await database.query('insert into orders select i from generate_series(11, 20) i');
  // The dead letters are committed a moment after the breaker has opened.
  await eventually(
    scrape,
    (now) => valueIn(now, 'observer_circuit_state', { endpoint: 'refuses' }) === 2 && valueIn(now, 'observer_dlq_open')! > 0,
  );
  const open = await scrape();
  expect(valueIn(open, 'observer_dead_letters_open', { observer: 'refused', error: 'http_status' })).toBe(
    valueIn(open, 'observer_dlq_open'),
  );
  await database.query('insert into orders select i from generate_series(21, 25) i');
  await eventually(scrape, (now) => valueIn(now, 'observer_job_queue_depth', { state: 'queued' })! > 0);
});

test('when the state of the stream cannot be read, its series are missing and the others are there', async () => {
  await start('  - { name: works, entity: Order, actions: [{ type: log }] }');
  expect(valueIn(await scrape(), 'observer_lag_events')).toBe(0);
  await database.query('alter table observers.quarantine rename to quarantine_away');
  const text = await scrape();
  expect(valueIn(text, 'observer_lag_events')).toBeUndefined();
  expect(valueIn(text, 'observer_job_queue_depth')).toBeUndefined();
  expect(valueIn(text, 'observer_in_flight')).toBe(0);
  await database.query('alter table observers.quarantine_away rename to quarantine');
  expect(valueIn(await scrape(), 'observer_lag_events')).toBe(0);
});

/** `npm run test:chaos` asks for 10,000, which takes minutes. */
const ENTITIES = process.env['TEST_WHOLE'] === '1' ? 10_000 : 2_000;

test(`1,000 endpoints and observers and ${ENTITIES} entities do not make more series than a server can bear`, async () => {
  const many = Array.from(
    { length: 1_000 },
    (_none, i) =>
      `  - { name: o${i}, entity: Order, when: "note = '${i}'", actions: [{ type: webhook, url: "${receiver.url}/${i}", allow_addresses: [loopback] }] }`,
  );
  await start(many.join('\n'));
  // Receiver and service share this process: so many requests at once would be its own time-outs. Each of the scrapes takes a tenth of a
  // second: they are not asked for progress.
  const tried = async (): Promise<number> =>
    (await database.query<{ n: number }>("select count(*)::int as n from observers.attempt where outcome = 'succeeded'"))[0]!.n;
  for (let count = 1_000; count <= ENTITIES; count += 1_000) {
    await database.query('insert into orders select i, i % 1000 from generate_series($1::int, $2::int) i', [count - 999, count]);
    await eventually(tried, (now) => now === count);
  }
  const text = await eventually(scrape, (now) => valueIn(now, 'observer_events_processed_total') === ENTITIES);
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length).toBeLessThan(10_000);
  expect(valueIn(text, 'observer_events_matched_total', { observer: 'other' })).toBe(0.8 * ENTITIES);
  expect(text).not.toMatch(/entity|[\da-f]{8}-[\da-f]{4}/);
}, 240_000);

test('every query of the dashboard and of the alerts names a metric that there is', async () => {
  await start(ALL);
  const known = [...namesIn(await scrape())].flatMap((name) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`]);
  const dashboard = JSON.parse(readFileSync(join(FILES, 'dashboard.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const rules = readFileSync(join(FILES, 'rules.yaml'), 'utf8');
  const used = [...queries.join('\n').matchAll(/\b((?:observer|process|nodejs)_[a-z0-9_]+)/g), ...rules.matchAll(/\b(observer_[a-z_]+)/g)];
  expect(queries.length).toBeGreaterThan(20);
  expect(new Set(used.map(([, name]) => name!).filter((name) => !known.includes(name)))).toEqual(new Set());
});

test('docs/metrics.md names every metric of ours, and no other', async () => {
  await start(ALL);
  const page = readFileSync(join(__dirname, '../../docs/metrics.md'), 'utf8');
  const named = new Set([...page.matchAll(/`(observer_[a-z_]+)[`{]/g)].map(([, name]) => name));
  expect(named).toEqual(new Set([...namesIn(await scrape())].filter((name) => name.startsWith('observer_'))));
});

test('the command sums up what the running service has counted, and says so when none runs', async () => {
  await start(ALL);
  const program = programOn(database, 'version: 1\n');
  try {
    await database.query('insert into orders select i from generate_series(1, 3) i');
    await eventually(scrape, (now) => valueIn(now, 'observer_events_processed_total') === 3);
    expect(await program.json<MetricsSummary>(['metrics'])).toMatchObject({
      address: service!.address,
      events: { processed: 3, perSecond: 0 },
      tries: { succeeded: 4, skipped: 2, dead: 3 },
      failureRate: 3 / 9,
      failures: { http_status: 3 },
      actions: { webhook: { count: 6 }, log: { count: 3 } },
      lag: { events: 0, seconds: 0 },
    });
    const { out } = await program.run(['metrics', '--metric', 'observer_dlq_items_total']);
    expect(out).toMatch(/^observer_dlq_items_total\{observer="refused", error="http_status", stream="main"\} +3$/m);
    expect((await program.run(['metrics', '--help-metrics'])).out).toMatch(/observer_lag_seconds +Age of the oldest change/);
    expect(await program.run(['metrics', '--metric', 'observer_nonsense'])).toMatchObject({ code: 5 });
    await service!.stop();
    const { code, err } = await program.run(['metrics']);
    expect(code).toBe(3);
    expect(err).toContain('no service runs for stream "main"');
  } finally {
    program.remove();
  }
});

describeWith(PROMTOOL, () => {
  test('promtool finds nothing to complain about in what is scraped', async () => {
    await start(ALL);
    await database.query('insert into orders select i from generate_series(1, 3) i');
    const text = await eventually(scrape, (now) => valueIn(now, 'observer_events_processed_total') === 3);
    const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('each alert fires when it should, and not before', () => {
    expect(execFileSync('promtool', ['test', 'rules', ALERT_TESTS], { encoding: 'utf8' })).toContain('SUCCESS');
    const alerts = [...readFileSync(join(FILES, 'rules.yaml'), 'utf8').matchAll(/alert: (\w+)/g)].map(([, name]) => name);
    const tested = readFileSync(ALERT_TESTS, 'utf8');
    for (const name of alerts) expect(tested).toContain(`alertname: ${name}`);
  });
});
