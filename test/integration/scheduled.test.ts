import type { ObserverDefinition, Timing } from '../../src/event/definitions';
import { pauseObserver, resumeObserver } from '../../src/delivery/pauses.sql';
import { requestRetries } from '../../src/redrive/redrive.sql';
import { countPending, listPending } from '../../src/status/pending.sql';
import { givenOrders } from '../support/fixture';
import type { Received } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { atLeast, eventually, until, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id int primary key, status text, due_at timestamptz, n int)');

interface Row {
  readonly change: number;
  readonly state: string;
  readonly collapsed: number | null;
  readonly wait: number;
}
interface Attempt {
  readonly change: number;
  readonly outcome: string;
  readonly message: string | null;
}
interface Body {
  readonly entity: { readonly key: string };
  readonly data: { readonly n: number };
  readonly collapsed?: number;
}

const HOUR = 3_600_000;
/** Into which one depends on how many were read together. */
const COLLAPSED = expect.stringMatching(/^collapsed into change [3-6] \(debounce\)$/);
const delay = (wait: number): Timing => ({ is: 'delay', wait });
const debounce = (wait: number, maxWait: number, key = '{{ entity.key }}'): Timing => ({ is: 'debounce', key, wait, maxWait });
const observer = (timing: Timing, changed: Partial<ObserverDefinition> = {}): ObserverDefinition =>
  observerOf('late', endpointOf(`${given.receiver.url}/hook`), { timing, ...changed });
const start = (timing: Timing, changed: Partial<ObserverDefinition> = {}): Promise<unknown> => given.start([observer(timing, changed)]);

const set = (id: number, n: number, status = 'open'): Promise<unknown> =>
  given.database.query('insert into orders (id, n, status) values ($1, $2, $3) on conflict (id) do update set n = $2, status = $3', [id, n, status]); // prettier-ignore
const waiting = (count: number): Promise<Row[]> =>
  untilRows<Row>(
    given.database,
    `select change_number::int as change, state, collapsed, extract(epoch from due_at - clock_timestamp())::float8 * 1000 as wait
     from observers.pending_delivery order by change_number`,
    (rows) => rows.length === count,
  );
const attempts = (count: number): Promise<Attempt[]> =>
  untilRows<Attempt>(
    given.database,
    'select change_number::int as change, outcome, message from observers.attempt order by change_number',
    atLeast(count),
  );
/** As if so much time had passed for all that waits, in milliseconds. */
const pass = (milliseconds: number): Promise<unknown> =>
  given.database.query(
    `update observers.pending_delivery set next_attempt_at = next_attempt_at - $1::float8 * interval '1 ms', due_at = due_at - $1::float8 * interval '1 ms',
     debounced_since = debounced_since - $1::float8 * interval '1 ms' where state = 'scheduled'`,
    [milliseconds],
  );
const bodyOf = ({ body }: Received): Body => JSON.parse(body) as Body;
const sent = (): Body[] => given.receiver.requests.map(bodyOf);

test('delay: a delivery waits for its time in PostgreSQL, over a restart, and goes once', async () => {
  await start(delay(24 * HOUR));
  await set(1, 1);
  const [row] = await waiting(1);
  expect(row).toMatchObject({ state: 'scheduled', collapsed: null });
  expect(row!.wait).toBeGreaterThan(23.9 * HOUR);
  expect(row!.wait).toBeLessThan(24 * HOUR);
  await given.stop();
  await start(delay(24 * HOUR));
  await pass(23 * HOUR);
  await set(2, 1);
  await waiting(2);
  expect(given.receiver.requests).toHaveLength(0);
  await pass(HOUR);
  await given.receiver.waitFor(1);
  expect(await waiting(1)).toMatchObject([{ change: 2 }]);
  expect(sent()).toMatchObject([{ entity: { key: '1' } }]);
  expect(sent()[0]).not.toHaveProperty('collapsed');
  expect(await attempts(1)).toMatchObject([{ change: 1, outcome: 'succeeded' }]);
});

test('delay: changes of an entity that are due together go in their order', async () => {
  await start(delay(HOUR));
  for (let n = 1; n <= 20; n++) await set(1, n);
  await waiting(20);
  await pass(HOUR);
  await given.receiver.waitFor(20);
  expect(sent().map(({ data }) => data.n)).toEqual(Array.from({ length: 20 }, (_none, i) => i + 1));
});

test('deliver_at: the time stands in the row; one in the past is now, and none at all is a dead letter', async () => {
  await start({ is: 'deliver_at', template: '{{ data.due_at }}' });
  await given.database.query(
    "insert into orders (id, due_at, n) values (1, now() + interval '2 hours', 1), (2, now() - interval '1 day', 2)",
  );
  await given.database.query("insert into orders (id, due_at, n) values (3, null, 3), (4, '9999-12-31', 4), (5, 'infinity', 5)");
  await given.receiver.waitFor(1);
  expect(sent()).toMatchObject([{ entity: { key: '2' } }]);
  const [row] = await waiting(1);
  expect(row!.wait / HOUR).toBeCloseTo(2, 1);
  const letters = await given.database.query<{ key: string; error: string; message: string }>(
    'select entity_key as key, error, message from observers.dead_letter order by entity_key',
  );
  expect(letters).toEqual([
    { key: '3', error: 'template', message: 'deliver_at has a value that the event has not' },
    { key: '4', error: 'template', message: 'deliver_at lies more than 10 years ahead' },
    { key: '5', error: 'template', message: 'deliver_at is no point in time; give one such as 2026-02-17T09:00:00Z' },
  ]);
});

test('debounce: the last of several changes goes, says for how many it stands, and the others are on record', async () => {
  await start(debounce(HOUR, 24 * HOUR));
  // In one page, and in several.
  await given.database.query('insert into orders (id, n) values (1, 1), (2, 1)');
  await waiting(2);
  for (let n = 2; n <= 5; n++) await set(1, n);
  const rows = await untilRows<{ collapsed: number }>(given.database, 'select collapsed from observers.pending_delivery order by change_number', (all) => all.at(-1)?.collapsed === 5); // prettier-ignore
  expect(rows).toEqual([{ collapsed: 1 }, { collapsed: 5 }]);
  await pass(HOUR);
  await given.receiver.waitFor(2);
  expect(sent()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ entity: { type: 'Order', key: '1' }, data: expect.objectContaining({ n: 5 }), collapsed: 5 }),
      expect.objectContaining({ entity: { type: 'Order', key: '2' }, collapsed: 1 }),
    ]),
  );
  expect(await attempts(6)).toMatchObject([
    { change: 1, outcome: 'skipped', message: COLLAPSED },
    { change: 2, outcome: 'succeeded' },
    { change: 3, outcome: 'skipped', message: COLLAPSED },
    { change: 4, outcome: 'skipped', message: COLLAPSED },
    { change: 5, outcome: 'skipped', message: COLLAPSED },
    { change: 6, outcome: 'succeeded' },
  ]);
});

test('debounce: a key that comes out empty is none, and makes no one thing of rows that have nothing in common', async () => {
  await start(debounce(HOUR, 24 * HOUR, '{{ data.status }}'));
  await set(1, 1, '');
  await set(2, 1, ' \t ');
  await set(3, 1, 'open');
  await set(4, 1, 'open');
  const rows = await untilRows<{ change: number; collapsed: number }>(given.database, 'select change_number::int as change, collapsed from observers.pending_delivery order by 1', (all) => all.at(-1)?.collapsed === 2); // prettier-ignore
  expect(rows).toEqual([{ change: 4, collapsed: 2 }]);
  const letters = await given.database.query<{ key: string; error: string; message: string }>(
    'select entity_key as key, error, message from observers.dead_letter order by entity_key',
  );
  const message = 'the debounce key is empty once it is rendered; all events without one would be collapsed into one';
  expect(letters).toEqual([
    { key: '1', error: 'template', message },
    { key: '2', error: 'template', message },
  ]);
});

test('debounce: a row that changes all the time goes after max_wait', async () => {
  await start(debounce(HOUR, 3 * HOUR));
  await set(1, 1);
  for (let n = 2; n <= 3; n++) {
    await waiting(1);
    await pass(0.9 * HOUR);
    await set(1, n);
    await untilRows(given.database, `select from observers.pending_delivery where collapsed = ${n}`, 1);
  }
  const [row] = await waiting(1);
  // The first was 1.8 hours ago, the last is now.
  expect(row!.wait / HOUR).toBeCloseTo(1, 1);
  await pass(0.9 * HOUR);
  await set(1, 4);
  await untilRows(given.database, 'select from observers.pending_delivery where collapsed = 4', 1);
  expect((await waiting(1))[0]!.wait / HOUR).toBeCloseTo(0.3, 1);
});

test('cancel_when: a later change cancels what waits, of that entity and observer alone', async () => {
  await start(delay(24 * HOUR), { kinds: ['insert'], cancelWhen: "status = 'paid' OR event.kind = 'delete'" });
  for (const id of [1, 2, 3, 4]) await set(id, 1);
  await waiting(4);
  await set(1, 2, 'paid');
  await set(2, 2, 'open');
  await given.database.query('delete from orders where id = 3');
  // In one page with what it cancels.
  await given.database.query(
    "with o as (insert into orders (id, n, status) values (5, 1, 'open')) select 1; update orders set status = 'paid' where id = 5",
  );
  expect((await waiting(2)).map(({ change }) => change)).toEqual([2, 4]);
  const skipped = (await attempts(3)).filter(({ outcome }) => outcome === 'skipped');
  expect(skipped).toMatchObject([
    { change: 1, message: 'cancelled by change 5 (cancel_when)' },
    { change: 3, message: 'cancelled by change 7 (cancel_when)' },
    { change: 8, message: 'cancelled by change 9 (cancel_when)' },
  ]);
  await pass(24 * HOUR);
  await given.receiver.waitFor(2);
  expect(sent().map(({ entity }) => entity.key).sort()).toEqual(['2', '4']); // prettier-ignore
});

test('cancel_when: what was committed before the time counts, however late it is read', async () => {
  const reminder: Partial<ObserverDefinition> = { kinds: ['insert'], cancelWhen: "status = 'paid'" };
  await start(delay(24 * HOUR), reminder);
  await set(1, 1);
  await waiting(1);
  await given.stop();
  await set(1, 2, 'paid');
  await pass(48 * HOUR);
  await start(delay(24 * HOUR), reminder);
  expect(await attempts(1)).toMatchObject([{ change: 1, outcome: 'skipped', message: 'cancelled by change 2 (cancel_when)' }]);
  expect(given.receiver.requests).toHaveLength(0);
});

test('cancel_when: a condition without an answer cancels nothing and puts the change before a person', async () => {
  await start(delay(HOUR), { kinds: ['insert'], cancelWhen: 'n > status' });
  await set(1, 1);
  await waiting(1);
  await set(1, 2);
  const [row] = await untilRows<{ reason: string; message: string }>(
    given.database,
    'select reason, message from observers.quarantine where change_number = 2',
    atLeast(1),
  );
  expect(row).toMatchObject({ reason: 'cancel_when' });
  expect(row!.message).toMatch(/^late: cancel_when has no answer, and nothing was cancelled: /);
  expect(await waiting(1)).toMatchObject([{ change: 1, state: 'scheduled' }]);
});

test('what is pending is listed by the time at which it goes', async () => {
  await start({ is: 'deliver_at', template: '{{ data.due_at }}' });
  await given.database.query(
    "insert into orders (id, due_at, n) values (1, now() + interval '3 hours', 1), (2, now() + interval '1 hour', 2)",
  );
  await waiting(2);
  const everything = { observer: null, action: null, endpoint: null, entityType: null, entityKey: null };
  const list = await listPending(given.database.client, 'main', { ...everything, state: 'scheduled' }, 10);
  expect(list).toMatchObject([
    { changeNumber: 2, entityType: 'Order', entityKey: '2', state: 'scheduled', attempt: 1, collapsed: null, redrive: false },
    { changeNumber: 1, entityType: 'Order', entityKey: '1', state: 'scheduled' },
  ]);
  for (const [i, hours] of [1, 3].entries()) expect((Date.parse(list[i]!.goesAt!) - Date.now()) / HOUR).toBeCloseTo(hours, 1);
  expect(await listPending(given.database.client, 'main', { ...everything, state: 'queued' }, 10)).toEqual([]);
  expect(await countPending(given.database.client, 'main', { ...everything, state: null, entityKey: '1' })).toBe(1);
});

test('a paused observer keeps what is due, and sends it when it is resumed', async () => {
  await start(delay(HOUR));
  await set(1, 1);
  await waiting(1);
  await pauseObserver(given.database.client, 'main', 'late', 'ann', null);
  await pass(HOUR);
  await until(async () => (await waiting(1))[0]?.state === 'paused');
  expect(given.receiver.requests).toHaveLength(0);
  await resumeObserver(given.database.client, 'main', 'late', 'ann');
  await given.receiver.waitFor(1);
});

test('a redrive of what has been collapsed still says for how many it stands', async () => {
  given.receiver.answer = (_request, response) => void response.writeHead(400).end();
  await start(debounce(HOUR, HOUR));
  await set(1, 1);
  await set(1, 2);
  await untilRows(given.database, 'select from observers.pending_delivery where collapsed = 2', 1);
  await pass(HOUR);
  const [letter] = await untilRows<{ id: string; collapsed: number }>(given.database, 'select id, collapsed from observers.dead_letter', atLeast(1)); // prettier-ignore
  expect(letter?.collapsed).toBe(2);
  given.receiver.answer = (_request, response) => void response.writeHead(204).end();
  await requestRetries(given.database.client, { ids: [letter!.id], who: 'ann', detail: null, config: 'current', snapshot: null });
  await given.receiver.waitFor(2);
  expect(sent().at(-1)?.collapsed).toBe(2);
});

test('what failed after its time is cancelled by a later change as well', async () => {
  given.receiver.answer = (_request, response) => void response.writeHead(503).end();
  const retry = { strategy: 'fixed', maxAttempts: 4, initialDelay: HOUR, maxDelay: HOUR, maxElapsed: null, schedule: [] } as const;
  await start(delay(HOUR), { kinds: ['insert'], cancelWhen: "status = 'paid'", retry });
  await set(1, 1);
  await waiting(1);
  await pass(HOUR);
  await eventually(
    () => waiting(1),
    (rows) => rows[0]?.state === 'retrying',
  );
  await set(1, 2, 'paid');
  await waiting(0);
  expect(given.receiver.requests).toHaveLength(1);
});
