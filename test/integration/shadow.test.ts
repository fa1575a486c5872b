import { createHash } from 'node:crypto';
import { requestRetries } from '../../src/redrive/redrive.sql';
import type { LookupDefinition, ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { status } from '../support/receiver';
import { startTestService } from '../support/service';
import { endpointOf, observerOf, type StreamOptions } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, eventually, untilLeading, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id int primary key, note text)');

const start = async (observers: readonly ObserverDefinition[], options: StreamOptions = {}): Promise<void> => {
  await given.start(observers, options);
  await untilLeading(given.stream.service);
};
const hook = (path = '/hook', more = {}) => endpointOf(`${given.receiver.url}${path}`, more);
const shadow = (changed: Partial<ObserverDefinition> = {}, endpoint = hook()): ObserverDefinition =>
  observerOf('shadow', endpoint, { mode: 'shadow', ...changed });
const insert = (id: number, note = 'a'): Promise<unknown> => given.database.query('insert into orders values ($1, $2)', [id, note]);

const redrive = async (id: string): Promise<void> => {
  const { queued } = await requestRetries(given.database.client, { ids: [id], who: 'me', detail: null, config: 'current', snapshot: null });
  expect(queued).toEqual([id]);
};

interface Attempt {
  readonly observer: string;
  readonly attempt: number;
  readonly outcome: string;
  readonly error: string | null;
  readonly message: string | null;
}
const attempts = (count: number): Promise<Attempt[]> =>
  untilRows<Attempt>(
    given.database,
    'select observer, attempt, outcome, error, message from observers.attempt order by change_number, observer',
    atLeast(count),
  );
/** Everything else that a delivery may leave behind. */
const LEFT =
  'select 1 from observers.pending_delivery union all select 1 from observers.dead_letter union all select 1 from observers.dedup';
const traces = async (): Promise<number> => (await given.database.query(LEFT)).length;

test('it sends nothing, and records where to, how much and the hash of exactly what a live one sends', async () => {
  await start([observerOf('live', hook()), shadow()]);
  await insert(1, 'grün');
  const [live, made] = (await attempts(2)) as [Attempt, Attempt];
  expect(live).toMatchObject({ observer: 'live', outcome: 'succeeded' });
  const [request] = given.receiver.requests;
  const sha256 = createHash('sha256').update(request!.bytes).digest('hex');
  expect(made).toEqual({
    observer: 'shadow',
    attempt: 1,
    outcome: 'skipped',
    error: null,
    message: `shadow: it would have sent POST to 127.0.0.1:${given.receiver.port}, ${request!.bytes.length} bytes, sha256 ${sha256}`,
  });
  expect(given.receiver.requests).toHaveLength(1);
  expect(await traces()).toBe(0);
});

test('a rendering that fails is what it would have been, and is neither tried again nor a dead letter nor an alert', async () => {
  const action = {
    type: 'webhook',
    name: 'hook',
    endpoint: hook(),
    method: 'POST',
    headers: { 'x-note': '{{ note }}' },
    body: null,
    batch: null,
  } as const;
  const live = observerOf('live', hook(), { actions: [action], onFailure: 'alert' });
  await start([live, shadow({ actions: [action], onFailure: 'alert', ordering: 'strict' })], { alerts: hook('/alerts') });
  await insert(1, 'a\nb');
  await insert(2, 'fine');
  const made = (await attempts(4)).filter(({ observer }) => observer === 'shadow');
  expect(made).toMatchObject([
    { outcome: 'dead', error: 'template', message: matching(/^shadow: .*line break.*; it would have been a dead letter$/) },
    { outcome: 'skipped', error: null },
  ]);
  // The live twin's alert has come, and told of itself alone.
  const requests = await given.receiver.waitFor((all) => all.some(({ path }) => path === '/alerts'));
  expect(requests.filter(({ path }) => path === '/alerts').map(({ body }) => (JSON.parse(body) as { observer: string }).observer)).toEqual([
    'live',
  ]);
  expect(await given.database.query('select observer from observers.dead_letter')).toEqual([{ observer: 'live' }]);
});

test('a condition without an answer and a loop are recorded as what they would have been', async () => {
  await start([shadow({ when: 'note / 2 > 1' }), shadow({ name: 'other' })], { settings: { maxHops: 1 } });
  await insert(1);
  await given.database.query("begin; set local observers.cause = 'a/b'; insert into orders values (2, '4'); commit");
  expect(await attempts(4)).toMatchObject([
    { observer: 'other', outcome: 'skipped' },
    { observer: 'shadow', outcome: 'dead', error: 'condition' },
    { observer: 'other', outcome: 'dead', error: 'loop' },
    { observer: 'shadow', outcome: 'dead' },
  ]);
  expect(await traces()).toBe(0);
});

test('it takes nothing of the rate limit of its endpoint, claims no dedup key, and has no lane', async () => {
  const endpoint = hook('/hook', { rateLimit: { count: 1, per: 3_600_000 }, concurrency: 1 });
  const dedup = { key: '{{ note }}', window: 60_000, lease: 30_000 };
  await start([shadow({ dedup, ordering: 'strict' }, endpoint), observerOf('live', endpoint, { when: "note = 'go'" })]);
  await given.database.query("insert into orders select i, 'a' from generate_series(1, 50) i");
  expect((await attempts(50)).every(({ outcome, message }) => outcome === 'skipped' && message?.startsWith('shadow: it would'))).toBe(true);
  expect(await traces()).toBe(0);
  await insert(51, 'go');
  await given.receiver.waitFor(1);
});

describe('look-ups', () => {
  const customer = (path: string): LookupDefinition => ({ name: 'customer', endpoint: hook(path), ttl: 60_000, staleFor: 0 });
  const log = { type: 'log', name: 'log', level: 'info', message: '{{ lookups.customer.name }} {{ nope }}' } as const;
  const looking = (path: string, when: string | null): ObserverDefinition => shadow({ lookups: [customer(path)], when, actions: [log] });

  test('are asked, and decide its condition and what it renders', async () => {
    given.receiver.answer = (_request, response) => void response.writeHead(200).end('{"name":"Ann","plan":"gold"}');
    await start([looking('/customers/{{ data.id }}', "lookups.customer.plan = 'gold' AND data.id < 2")]);
    await insert(1);
    await insert(2);
    const sha256 = createHash('sha256').update('Ann ').digest('hex');
    expect(await attempts(2)).toMatchObject([
      {
        outcome: 'skipped',
        error: null,
        message: `shadow: it would have sent a line in the log, 4 bytes, sha256 ${sha256}; 1 of its template values is missing`,
      },
      { outcome: 'skipped', error: null, message: 'shadow: with what was looked up, the condition is not met' },
    ]);
    expect(given.receiver.requests.map(({ path }) => path)).toEqual(['/customers/1', '/customers/2']);
  });

  test('that fail are told, and nobody tries again', async () => {
    given.receiver.answer = status(503);
    await start([looking('/customers', null)]);
    await insert(1);
    expect(await attempts(1)).toMatchObject([{ outcome: 'skipped', error: 'lookup', message: containing('503') }]);
    expect(await traces()).toBe(0);
  });

  test('that take long do not hold the stream', async () => {
    given.receiver.answer = () => undefined;
    await start([looking('/customers', null), observerOf('live', endpointOf('http://127.0.0.1:9/unused'), { actions: [log] })], {
      settings: { inlineBudget: 200 },
    });
    await insert(1);
    const made = (await attempts(2)).find(({ observer }) => observer === 'shadow');
    expect(made).toMatchObject({ outcome: 'skipped', error: 'lookup', message: containing('200 ms') });
    await untilRows(
      given.database,
      'select from observers.checkpoint where pg_visible_in_snapshot((select change_xid from core.tb_entity_change_log order by change_xid desc limit 1), previous)',
      1,
    );
  });
});

test('made live by a restart it sends what comes, and not what was', async () => {
  await start([shadow()]);
  await given.database.query("insert into orders select i, 'a' from generate_series(1, 20) i");
  await attempts(20);
  await given.stop();
  await start([observerOf('shadow', hook())]);
  await insert(21);
  const requests = await given.receiver.waitFor(1);
  await attempts(21);
  await given.stop();
  expect(requests.map(({ body }) => (JSON.parse(body) as { entity: { key: string } }).entity.key)).toEqual(['21']);
});

test('what waited when it went into shadow is a dead letter, and no redrive sends it before it is live again', async () => {
  given.receiver.answer = status(500);
  const retry = { strategy: 'fixed', maxAttempts: 9, initialDelay: 1_000, maxDelay: 60_000, maxElapsed: null, schedule: [] } as const;
  await start([observerOf('shadow', hook(), { retry })]);
  await insert(1);
  await attempts(1);
  await given.stop();
  const sent = given.receiver.requests.length;
  await start([shadow({ retry })]);
  const letters = (): Promise<{ id: string; message: string; open: boolean }[]> =>
    given.database.query('select id::text, message, resolved_at is null as open from observers.dead_letter');
  const [letter] = await eventually(letters, (rows) => rows.length === 1);
  expect(letter).toMatchObject({ open: true, message: containing('in shadow') });
  await redrive(letter!.id);
  await untilRows(given.database, 'select from observers.pending_delivery', 0);
  expect(await letters()).toMatchObject([{ open: true }]);
  expect(given.receiver.requests).toHaveLength(sent);
  given.receiver.answer = status(204);
  await given.stop();
  await start([observerOf('shadow', hook())]);
  await redrive(letter!.id);
  await eventually(letters, ([row]) => row?.open === false);
  expect(given.receiver.requests).toHaveLength(sent + 1);
});

test('a reload makes it live for what comes and not for what was, and a shadow of what is to be sent from then on', async () => {
  const fileFor = (mode: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${given.receiver.url}/hook", allow_addresses: [loopback], circuit_breaker: off } }
observers: [{ name: all, mode: ${mode}, entity: Order, on: insert, retry: { initial_delay: 1s, strategy: fixed }, actions: [{ type: webhook, endpoint: hook }] }]`;
  const service = await startTestService(given.database.url, { file: fileFor('shadow') });
  const reload = async (mode: string): Promise<void> => {
    service.rewrite(fileFor(mode));
    expect(await service.reloader.reload('test')).toMatchObject({ effective: 'now', changed: ['all'] });
  };
  try {
    await untilLeading(service.streams.main);
    await insert(1);
    await attempts(1);
    await reload('live');
    await insert(2);
    await given.receiver.waitFor(1);
    await attempts(2);
    given.receiver.answer = status(500);
    await insert(3);
    await attempts(3);
    await reload('shadow');
    await insert(4);
    await untilRows(given.database, "select from observers.dead_letter where message like '%in shadow%'", 1);
    expect((await attempts(4)).map(({ outcome }) => outcome)).toEqual(['skipped', 'succeeded', 'retry', 'skipped']);
  } finally {
    await service.stop();
  }
  const keys = given.receiver.requests.map(({ body }) => (JSON.parse(body) as { entity: { key: string } }).entity.key);
  expect(keys).toEqual(['2', '3']);
});

test('a service that is started with a file records no secret of it', async () => {
  await given.stop();
  const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${given.receiver.url}/\${TOKEN}?key=\${TOKEN}", headers: { authorization: "Bearer \${TOKEN}" }, allow_addresses: [loopback] } }
observers:
  - name: all
    mode: shadow
    entity: Order
    actions:
      - { name: hook, type: webhook, endpoint: hook, body: { key: "\${TOKEN}", note: "{{ note }}" } }
      - { name: bad, type: webhook, endpoint: hook, headers: { x-note: "\${TOKEN} {{ note }}" } }
      - { name: say, type: log, message: "\${TOKEN} {{ note }}" }`;
  // Dropping the database looks for secrets in all of our tables.
  const service = await startTestService(given.database.url, { file, env: { TOKEN: 'CANARY-token' } });
  try {
    await untilLeading(service.streams.main);
    await insert(1, 'a\nb');
    expect((await attempts(3)).map(({ outcome }) => outcome).sort()).toEqual(['dead', 'skipped', 'skipped']);
  } finally {
    await service.stop();
  }
  expect(given.receiver.requests).toEqual([]);
});
