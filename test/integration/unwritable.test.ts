import request from 'supertest';
import { createHash } from 'node:crypto';
import { JumpingClock } from '../support/jumping-clock';
import { givenOrders } from '../support/fixture';
import { status, type Received } from '../support/receiver';
import { startTestService } from '../support/service';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { eventually, until, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id text primary key, step int)');
const endpoint = (): ReturnType<typeof endpointOf> => endpointOf(`${given.receiver.url}/hook`);
const RETRY = { ...FAST_RETRY, initialDelay: 20, maxAttempts: 3 };

const keyOf = ({ body }: Received): string => (JSON.parse(body) as { entity: { key: string } }).entity.key;
const insert = (...keys: string[]): Promise<unknown> =>
  given.database.query('insert into orders select id, 1 from unnest($1::text[]) id', [keys]);

// Digests do not compress, so PostgreSQL cannot make an index entry of them that is short enough.
const longKey = (salt: string): string =>
  Array.from({ length: 41 }, (_, i) => createHash('sha256').update(`${salt}${i}`).digest('hex')).join('');

/** The outcome of an order of this key cannot be recorded: a rule of the database forbids it. */
const forbid = (table: string, condition: string): Promise<unknown> =>
  given.database.query(`alter table observers.${table} add constraint forbidden check (not (${condition}))`);

test.each(['strict', 'none'] as const)(
  'keys of 2,624 characters have lanes of their own and keep their order (ordering: %s)',
  async (ordering) => {
    const [one, other] = [longKey('a'), longKey('b')];
    let failing = true;
    given.receiver.answer = (received, response) => response.writeHead(failing && [one, other].includes(keyOf(received)) ? 503 : 204).end();
    await given.start([observerOf('all', endpoint(), { ordering, retry: { ...RETRY, maxAttempts: 1_000 } })]);
    await insert(one, other, 'short');
    await given.database.query('update orders set step = 2');
    await given.receiver.waitFor((all) => all.filter((received) => keyOf(received) === 'short').length === 2);
    await untilRows(given.database, 'select 1 from observers.pending_delivery', 4);
    const lanes = await given.database.query<{ lane: string }>('select distinct lane from observers.pending_delivery');
    expect(lanes).toHaveLength(2);
    failing = false;
    await untilRows(given.database, 'select 1 from observers.pending_delivery', 0);
    const accepted = await given.database.query(
      "select 1 from observers.attempt where outcome = 'succeeded' group by change_number having count(*) = 1",
    );
    expect(accepted).toHaveLength(6);
  },
);

test('what the database will never take goes to quarantine alone, with the reason, and the rest is recorded', async () => {
  given.receiver.answer = (received, response) => response.writeHead(keyOf(received) === 'poison' ? 500 : 204).end();
  await given.start([observerOf('all', endpoint(), { retry: RETRY })]);
  await forbid('pending_delivery', "lane like '%poison%'");
  await insert('a', 'b', 'poison', 'c', 'd');
  const [row] = await untilRows<{ reason: string; message: string }>(given.database, 'select reason, message from observers.quarantine', 1);
  expect(row).toMatchObject({ reason: 'unrecordable', message: expect.stringMatching(/^all\/.*forbidden/) as string });
  await untilRows(given.database, "select 1 from observers.attempt where outcome = 'succeeded'", 4);
  // The checkpoint passes it: a new start sends nothing twice.
  await until(() => given.stream.service.inFlight === 0);
  await given.stop();
  const sent = given.receiver.requests.length;
  await given.start([observerOf('all', endpoint(), { retry: RETRY })]);
  await insert('e');
  await given.receiver.waitFor((all) => all.some((received) => keyOf(received) === 'e'));
  expect(given.receiver.requests.slice(sent).map(keyOf)).toEqual(['e']);
});

test('two deliveries of one change that cannot be recorded are told in one row, and a retry makes just these two again', async () => {
  await given.start(['first', 'second', 'third'].map((name) => observerOf(name, endpoint(), { retry: RETRY })));
  await forbid('attempt', "observer in ('first', 'third')");
  await insert('a');
  const [row] = await eventually(
    () => given.database.query<{ message: string }>('select message from observers.quarantine'),
    (rows) => rows[0]?.message.split('\n').length === 2,
  );
  expect(row?.message).toMatch(/first\/.*\n.*third\/|third\/.*\n.*first\//s);
  await given.database.query('alter table observers.attempt drop constraint forbidden');
  const sent = given.receiver.requests.length;
  await given.database.query('update observers.quarantine set retry_at = now()');
  await untilRows(given.database, "select 1 from observers.attempt where outcome = 'succeeded'", 3);
  await untilRows(given.database, 'select 1 from observers.pending_delivery', 0);
  expect(given.receiver.requests).toHaveLength(sent + 2);
  expect(await given.database.query('select 1 from observers.quarantine')).toHaveLength(0);
});

test('a strict lane goes on behind what could not be recorded', async () => {
  given.receiver.answer = status(204);
  await given.start([observerOf('all', endpoint(), { ordering: 'strict', retry: RETRY })]);
  await forbid('attempt', 'change_number % 2 = 0');
  await insert('a');
  for (let step = 2; step <= 6; step++) await given.database.query('update orders set step = $1', [step]);
  await untilRows(given.database, 'select 1 from observers.quarantine', 3);
  await untilRows(given.database, "select 1 from observers.attempt where outcome = 'succeeded'", 3);
  expect(given.receiver.requests.map(({ body }) => (JSON.parse(body) as { data: { step: number } }).data.step)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('a ledger that cannot be written for half a minute makes the instance unready, says for how long, and is well again by itself', async () => {
  const clock = new JumpingClock();
  const file = `version: 1
observers:
  - { name: all, entity: "*", actions: [{ type: webhook, url: "${given.receiver.url}/hook", allow_addresses: [loopback] }] }
`;
  const service = await startTestService(given.database.url, { file, clock });
  const ready = (): Promise<request.Response> => request(`http://${service.address}`).get('/health/ready');
  try {
    await eventually(ready, ({ status: code }) => code === 200);
    await insert('before');
    await untilRows(given.database, "select 1 from observers.attempt where outcome = 'succeeded'", 1);
    await given.database.query('alter table observers.attempt rename to elsewhere');
    await insert('a');
    await given.receiver.waitFor(2);
    await eventually(
      ready,
      ({ body }) => Number((body as { details: { progress: { unrecorded_ms: number } } }).details.progress.unrecorded_ms) > 100,
    );
    clock.jump(31_000);
    const { status: code, body } = await ready();
    expect(code).toBe(503);
    expect((body as { error: { progress: { unrecorded_ms: number } } }).error.progress.unrecorded_ms).toBeGreaterThan(30_000);
    const metrics = await request(`http://${service.address}`).get('/metrics');
    expect(Number(/^observer_unrecorded_seconds\S* (\S+)$/m.exec(metrics.text)?.[1])).toBeGreaterThan(30);
    await given.database.query('alter table observers.elsewhere rename to attempt');
    await eventually(ready, ({ status: now }) => now === 200);
    await untilRows(given.database, "select 1 from observers.attempt where outcome = 'succeeded'", 2);
  } finally {
    await service.stop();
  }
});
