import { Webhook } from 'standardwebhooks';
import { connect } from '../../src/database/postgres';
import { sweepExpiredClaims } from '../../src/jobs/postgres-job-queue.sql';
import type { EventRun } from '../../src/pipeline/event-run';
import { givenOrders } from '../support/fixture';
import { failing, status } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, SECRET } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, eventually, until, untilRead, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, status text, total numeric, big int8, note text)');

const attempts = (): Promise<{ observer: string; attempt: number; outcome: string; error: string | null; status: number | null }[]> =>
  given.database.query('select observer, attempt, outcome, error, status from observers.attempt order by finished_at, attempt');

const settled = async (): Promise<void> => {
  await untilRows(given.database, "select from observers.pending_delivery where state <> 'retrying'", 0);
};

test('a committed insert arrives as the envelope, signed so that another implementation verifies it', async () => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query("insert into orders values (1, 'new', 12345678901234567890.50, 9007199254740993, E'a\\nb')");
  const [request] = await given.receiver.waitFor(1);
  expect(new Webhook(SECRET).verify(request!.body, request!.headers)).toMatchObject({ type: 'order.created', version: 1 });
  expect(request!.body).toContain('"total":12345678901234567890.50,"big":9007199254740993,"note":"a\\nb"');
  expect(JSON.parse(request!.body)).toMatchObject({ entity: { type: 'Order', key: '1' }, before: null, tenant: null });
  expect((await eventually(attempts, (rows) => rows.length === 1))[0]).toEqual({
    observer: 'all',
    attempt: 1,
    outcome: 'succeeded',
    error: null,
    status: 204,
  });
});

test('only observers whose condition holds are delivered to, and the run says who did not match', async () => {
  const runs: EventRun[] = [];
  const observers = [
    observerOf('big', endpointOf(`${given.receiver.url}/big`), { when: 'total > 100' }),
    observerOf('small', endpointOf(`${given.receiver.url}/small`), { when: 'total <= 100' }),
  ];
  await given.start(observers, { subscribers: [{ event: (run) => runs.push(run) }] });
  await given.database.query('insert into orders (id, total) values (1, 250)');
  await given.receiver.waitFor(1);
  await until(() => runs.length === 1);
  expect(runs[0]!.results.map(({ observer, matched }) => [observer.name, matched])).toEqual([
    ['big', true],
    ['small', false],
  ]);
  expect(given.receiver.requests.map(({ path }) => path)).toEqual(['/big']);
});

test('a rolled back write is never delivered, a savepoint that was rolled back neither', async () => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query('begin; insert into orders (id) values (1); rollback');
  await given.database.query(
    'begin; insert into orders (id) values (2); savepoint s; insert into orders (id) values (3); rollback to s; commit',
  );
  await given.database.query('insert into orders (id) values (4)');
  await given.receiver.waitFor(2);
  expect(given.receiver.requests.map(({ body }) => (JSON.parse(body) as { entity: { key: string } }).entity.key).sort()).toEqual([
    '2',
    '4',
  ]);
});

test('a receiver that answers 500 twice gets the same webhook-id three times, and no row is left pending', async () => {
  given.receiver.answer = failing(2);
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query('insert into orders (id) values (1)');
  await given.receiver.waitFor(3);
  expect(new Set(given.receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const rows = await eventually(attempts, (all) => all.length === 3);
  expect(rows.map(({ attempt, outcome, status: code }) => [attempt, outcome, code])).toEqual([
    [1, 'retry', 500],
    [2, 'retry', 500],
    [3, 'succeeded', 204],
  ]);
  expect(await given.database.query('select 1 from observers.pending_delivery')).toEqual([]);
});

test.each([
  [400, 'http_status'],
  [410, 'gone'],
  [302, 'redirect'],
])('an answer of %i is dead at once, as %s', async (code, error) => {
  given.receiver.answer = status(code, { location: `${given.receiver.url}/elsewhere` }, 'the reason');
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query('insert into orders (id) values (1)');
  const [letter] = await untilRows<{ error: string; status: number; attempts: number; response: string }>(
    given.database,
    'select error, status, attempts, response from observers.dead_letter',
    1,
  );
  expect(letter).toEqual({ error, status: code, attempts: 1, response: 'the reason' });
  expect(given.receiver.requests.map(({ path }) => path)).toEqual(['/hook']);
});

test('429 with Retry-After waits as long as it was asked to, and uses up no attempt', async () => {
  let first = true;
  given.receiver.answer = (_request, response) => {
    response.writeHead(first ? 429 : 204, first ? { 'retry-after': '1' } : {}).end();
    first = false;
  };
  const retry = { ...FAST_RETRY, maxAttempts: 1 };
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`), { retry })]);
  await given.database.query('insert into orders (id) values (1)');
  const [one, two] = await given.receiver.waitFor(2);
  expect(two!.at - one!.at).toBeGreaterThanOrEqual(990);
  expect((await eventually(attempts, (rows) => rows.length === 2)).map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
    [1, 'retry'],
    [1, 'succeeded'],
  ]);
});

test('a receiver that hangs times out, and holds up neither the stream nor another endpoint', async () => {
  given.receiver.answer = (request, response) => void (request.path === '/hangs' || response.writeHead(204).end());
  const observers = [
    observerOf('hangs', endpointOf(`${given.receiver.url}/hangs`, { timeout: 1_500, concurrency: 2 })),
    observerOf('works', endpointOf(`${given.receiver.url}/works`)),
  ];
  await given.start(observers, { settings: { inlineBudget: 100, maxInFlight: 8 } });
  await given.database.query('insert into orders (id) select generate_series(1, 40)');
  await given.receiver.waitFor(() => given.receiver.requests.filter(({ path }) => path === '/works').length === 40, 20_000);
  await untilRead(given.database);
  await untilRows(given.database, "select from observers.attempt where error = 'timeout'", atLeast(1));
});

test('changes of one entity arrive in commit order, also when the endpoint is so slow that they go through PostgreSQL', async () => {
  given.receiver.answer = (_request, response) => void setTimeout(() => response.writeHead(204).end(), 15);
  const slow = endpointOf(`${given.receiver.url}/slow`, { concurrency: 3 });
  await given.start([observerOf('all', slow, { kinds: ['update'] })], {
    settings: { inlineBudget: 50, maxInFlight: 20 },
  });
  await given.database.query('insert into orders (id, total) select i, 0 from generate_series(1, 5) i');
  for (let version = 1; version <= 30; version++) await given.database.query('update orders set total = $1', [version]);
  await given.receiver.waitFor(150);
  const versions = new Map<string, number[]>();
  for (const { body } of given.receiver.requests) {
    const { entity, data } = JSON.parse(body) as { entity: { key: string }; data: { total: number } };
    versions.set(entity.key, [...(versions.get(entity.key) ?? []), data.total]);
  }
  for (const seen of versions.values()) expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  const [slowOnes] = await given.database.query<{ n: number }>('select count(*)::int as n from observers.attempt');
  expect(slowOnes!.n).toBeGreaterThan(0);
});

test('a condition that has no answer makes a dead letter with the reason, and the other observers go on', async () => {
  const observers = [
    observerOf('broken', endpointOf(`${given.receiver.url}/broken`), { when: 'status > 5' }),
    observerOf('fine', endpointOf(`${given.receiver.url}/fine`)),
  ];
  await given.start(observers);
  await given.database.query("insert into orders (id, status) values (1, 'new')");
  await given.receiver.waitFor(1);
  const [letter] = await untilRows(given.database, 'select observer, error, message, attempts from observers.dead_letter', 1);
  expect(letter).toEqual({
    observer: 'broken',
    error: 'condition',
    attempts: 0,
    message: 'the condition has no answer: text cannot be compared with a number',
  });
});

test('an unknown verb is quarantined and blocks nothing', async () => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Order', '1', 'UPSERT', '{}'), ('Order', '2', 'NOOP', '{}'), ('Order', '3', 'INSERT', '{}')",
  );
  await given.receiver.waitFor(1);
  expect(given.receiver.requests.map(({ body }) => (JSON.parse(body) as { entity: { key: string } }).entity.key)).toEqual(['3']);
  const [row] = await untilRows(given.database, 'select reason, message from observers.quarantine', 1);
  expect(row).toMatchObject({ reason: 'unknown_verb', message: containing('"UPSERT"') });
});

test('a row above the size limit is quarantined with its size, the small one beside it is delivered', async () => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))], {
    settings: { maxEventSize: 1_000_000 },
  });
  await given.database.query("insert into orders (id, note) values (1, repeat('x', 100 * 1024 * 1024)), (2, 'small')");
  await given.receiver.waitFor(1);
  expect(given.receiver.requests[0]!.body).toContain('"note":"small"');
  const [row] = await untilRows<{ reason: string; message: string }>(given.database, 'select reason, message from observers.quarantine', 1);
  expect(row!.reason).toBe('too_large');
  expect(row!.message).toMatch(/1048576\d\d bytes/);
});

test('what is recorded is not sent again after a restart', async () => {
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.database.query('insert into orders (id) select generate_series(1, 200)');
  await given.receiver.waitFor(200);
  await given.stop();
  await given.database.query('insert into orders (id) values (1000)');
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`))]);
  await given.receiver.waitFor(201);
  await settled();
  expect(given.receiver.requests).toHaveLength(201);
});

test('a claim that has run out is freed, unless its delivery is still in memory here', async () => {
  await given.database.query('insert into orders values (1), (2)');
  await given.database
    .query(`insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, claimed_until)
    select pk_entity_change_log, 'all', 'hook', 'main', 'e', 'l' || pk_entity_change_log, 'running', 1, now(), now() - interval '1 s' from core.tb_entity_change_log`);
  expect(await sweepExpiredClaims(given.database.client, 'main', [{ changeNumber: 1, observer: 'all', action: 'hook' }])).toBe(1);
  expect(await given.database.query('select change_number, state from observers.pending_delivery order by 1')).toEqual([
    { change_number: '1', state: 'running' },
    { change_number: '2', state: 'queued' },
  ]);
});

test('a claim of which nobody knows whether it took effect ends the term; the next one takes back what it claimed', async () => {
  given.receiver.answer = status(500);
  const retry = { ...FAST_RETRY, maxAttempts: 1_000 };
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`), { retry })]);
  await given.database.query('insert into orders (id) values (1)');
  await given.receiver.waitFor(2);
  // So that there is a moment in which it is under way.
  const lock = await connect(given.database.url, 'test lock');
  await lock.query('begin');
  await lock.query('select from observers.lease for update');
  const claiming =
    "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%picked as%'";
  const [claim] = await untilRows<{ pid: number }>(given.database, claiming, atLeast(1));
  await given.database.query('select pg_terminate_backend($1)', [claim!.pid]);
  await lock.query('commit');
  await lock.end();
  await until(() => given.stream.service.terms > 1);
  given.receiver.answer = status(204);
  await settled();
});
