import { requestRetries } from '../../src/redrive/redrive.sql';
import type { LookupDefinition, ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, untilRows } from '../support/until';
let crm: Receiver;
const PLANS: Readonly<Record<string, string>> = {
  alice: '{"plan":"gold","name":"Alice \\"},\\"admin\\":true"}',
  bob: '{"plan":"blue","name":"Bob"}',
};

const answerPlans: Receiver['answer'] = (request, response) => {
  const plan = PLANS[request.path.slice('/customers/'.length)];
  response.writeHead(plan === undefined ? 404 : 200).end(plan ?? 'unknown');
};

const given = givenOrders('create table public.orders (id int primary key, customer text, step int)');
beforeEach(async () => {
  crm = await startReceiver(answerPlans);
});
afterEach(async () => {
  await crm.close();
});

const customer = (timeout = 2_000): LookupDefinition => ({
  name: 'customer',
  endpoint: endpointOf(`${crm.url}/customers/{{ data.customer }}`, { timeout }),
  ttl: 60_000,
  staleFor: 0,
});

const observer = (
  changed: Partial<ObserverDefinition> = {},
  body: Record<string, unknown> | null = null,
  path = '/hook',
): ObserverDefinition => {
  const endpoint = endpointOf(`${given.receiver.url}${path}`, { name: 'hook', signingSecrets: [] });
  const action = { type: 'webhook', name: 'hook', endpoint, method: 'POST', headers: {}, body, batch: null } as const;
  return observerOf('gold', endpoint, { lookups: [customer()], actions: [action], ...changed });
};

const start = async (observers: readonly ObserverDefinition[]): Promise<void> => {
  await given.start(observers);
};
interface Attempt {
  readonly number: number;
  readonly outcome: string;
  readonly error: string | null;
}
const attempts = (count: number): Promise<Attempt[]> =>
  untilRows<Attempt>(
    given.database,
    'select change_number::int as number, outcome, error from observers.attempt order by change_number, finished_at',
    atLeast(count),
  );

test('a condition decides by what was looked up, and only then', async () => {
  await start([observer({ when: "lookups.customer.plan = 'gold' AND step > 0" })]);
  await given.database.query("insert into orders values (1, 'alice', 1), (2, 'bob', 1), (3, 'nobody', 1), (4, null, 1), (5, 'alice', 0)");
  expect(await attempts(5)).toEqual([
    { number: 1, outcome: 'succeeded', error: null },
    { number: 2, outcome: 'skipped', error: null },
    { number: 3, outcome: 'skipped', error: null },
    { number: 4, outcome: 'skipped', error: null },
    { number: 5, outcome: 'skipped', error: null },
  ]);
  expect(given.receiver.requests).toHaveLength(1);
  expect(crm.requests.map(({ path }) => path).sort()).toEqual(['/customers/alice', '/customers/bob', '/customers/nobody']);
});

test('HAS_FIELD and IS NULL tell whether anything was found', async () => {
  await start([observer({ when: 'NOT HAS_FIELD(lookups.customer) OR lookups.customer.plan IS NULL' })]);
  await given.database.query("insert into orders values (1, 'alice', 1), (2, 'nobody', 1)");
  expect((await attempts(2)).map(({ outcome }) => outcome)).toEqual(['skipped', 'succeeded']);
});

test('templates have it, encoded for where it goes', async () => {
  const body = { to: '{{ lookups.customer.name }}', all: '{{ lookups.customer | json }}', nothing: '{{ lookups.customer.phone }}' };
  await start([observer({}, body, '/{{ lookups.customer.name }}/hook')]);
  await given.database.query("insert into orders values (1, 'alice', 1)");
  const [request] = await given.receiver.waitFor(1);
  expect(request?.path).toBe('/Alice%20%22%7D%2C%22admin%22%3Atrue/hook');
  expect(JSON.parse(request!.body)).toEqual({ to: 'Alice "},"admin":true', all: JSON.parse(PLANS['alice']!), nothing: '' });
});

test('one request for many events', async () => {
  await start([observer()]);
  await given.database.query("insert into orders select i, 'alice', i from generate_series(1, 300) i");
  await given.receiver.waitFor(300);
  expect(crm.requests).toHaveLength(1);
});

test('a look-up that fails is tried again, and not taken for a condition that is false', async () => {
  let failures = 2;
  crm.answer = (request, response, raw) => (failures-- > 0 ? void response.writeHead(500).end() : answerPlans(request, response, raw));
  await start([observer({ when: "lookups.customer.plan = 'gold'" })]);
  await given.database.query("insert into orders values (1, 'alice', 1)");
  expect((await attempts(3)).map(({ outcome, error }) => [outcome, error])).toEqual([
    ['retry', 'lookup'],
    ['retry', 'lookup'],
    ['succeeded', null],
  ]);
});

test('one that fails for good is a dead letter that names it, and can be redriven', async () => {
  crm.answer = (_request, response) => void response.writeHead(403).end('forbidden');
  await start([observer({ when: "lookups.customer.plan = 'gold'" })]);
  await given.database.query("insert into orders values (1, 'alice', 1)");
  const [letter] = await untilRows(given.database, 'select id::text, error, message, attempts from observers.dead_letter', 1);
  expect(letter).toMatchObject({
    error: 'lookup',
    message: containing('lookup customer: the receiver answered 403'),
    attempts: FAST_RETRY.maxAttempts,
  });
  crm.answer = answerPlans;
  await requestRetries(given.database.client, {
    ids: [letter!['id'] as string],
    who: 'me',
    detail: null,
    config: 'current',
    snapshot: null,
  });
  await given.receiver.waitFor(1);
  await untilRows(given.database, 'select from observers.dead_letter where resolved_at is null', 0);
});

test('a look-up that hangs holds up neither other observers nor its own endpoint, and the stream goes on', async () => {
  const hanging: Receiver['answer'] = () => undefined;
  crm.answer = hanging;
  const plain = observer({ name: 'plain', lookups: [] });
  await start([observer({ lookups: [customer(1_500)], retry: { ...FAST_RETRY, maxAttempts: 100 } }), { ...plain, name: 'plain' }]);
  await given.database.query("insert into orders select i, 'customer ' || i, i from generate_series(1, 200) i");
  await untilRows(given.database, "select from observers.attempt where observer = 'plain' and outcome = 'succeeded'", 200);
  expect(given.receiver.requests).toHaveLength(200);
  crm.answer = (_request, response) => void response.writeHead(200).end('{}');
  await untilRows(given.database, "select from observers.attempt where observer = 'gold' and outcome = 'succeeded'", 200);
});

test('the order of an entity is that of its commits, although the first look-up takes longest', async () => {
  let first = true;
  crm.answer = (_request, response) => {
    const wait = first ? 150 : 0;
    first = false;
    setTimeout(() => response.writeHead(200).end('{}'), wait);
  };
  await start([observer({}, { step: '{{ step | json }}' })]);
  await given.database.query("insert into orders values (1, 'a', 1)");
  for (let step = 2; step <= 10; step++)
    await given.database.query("update orders set step = $1, customer = 'c' || $2", [step, String(step)]);
  await given.receiver.waitFor(10);
  expect(given.receiver.requests.map(({ body }) => (JSON.parse(body) as { step: number }).step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('a strict lane is held up by a look-up that fails, and goes on behind it in order', async () => {
  let failures = 3;
  crm.answer = (_request, response) => void response.writeHead(failures-- > 0 ? 500 : 200).end('{}');
  await start([observer({ ordering: 'strict', retry: { ...FAST_RETRY, maxAttempts: 10 } }, { step: '{{ step | json }}' })]);
  await given.database.query("insert into orders values (1, 'a', 1)");
  for (let step = 2; step <= 10; step++) await given.database.query('update orders set step = $1', [step]);
  await given.receiver.waitFor(10);
  expect(given.receiver.requests.map(({ body }) => (JSON.parse(body) as { step: number }).step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('a stop while looking up loses nothing', async () => {
  crm.answer = () => undefined;
  await start([observer()]);
  await given.database.query("insert into orders select i, 'c' || i, i from generate_series(1, 20) i");
  await crm.waitFor(20);
  await given.stop();
  expect(given.receiver.requests).toHaveLength(0);
  crm.answer = (_request, response) => void response.writeHead(200).end('{}');
  await start([observer()]);
  await given.receiver.waitFor(20);
  expect(given.receiver.requests).toHaveLength(20);
});

test('a lane of many that the condition declines, all from the cache, ends', async () => {
  await start([observer({ when: "lookups.customer.plan = 'gold'" })]);
  await given.database.query("insert into orders values (1, 'bob', 0)");
  await given.database.query('do $$ begin for i in 1..2000 loop update orders set step = i; end loop; end $$');
  await untilRows(given.database, "select from observers.attempt where outcome = 'skipped'", 2001);
  expect(crm.requests).toHaveLength(1);
});
