import type { DedupPolicy } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { status } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, eventually, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, status text, customer text)');

type Driver = 'postgres' | 'memory';
async function start(dedupDriver: Driver, changed: Partial<DedupPolicy> = {}): Promise<void> {
  const dedup = { key: '{{ customer }}:{{ status }}', window: 60_000, lease: 60_000, ...changed };
  const observer = observerOf('all', endpointOf(`${given.receiver.url}/hook`), { dedup, retry: { ...FAST_RETRY, initialDelay: 100 } });
  await given.start([observer], { settings: { dedupDriver } });
}

const insert = (from: number, to: number, status = 'new', customer = 'eva'): Promise<unknown> =>
  given.database.query('insert into orders select n, $3, $4 from generate_series($1::int, $2::int) n', [from, to, status, customer]);
const attempts = (count: number): Promise<{ change: number; outcome: string; message: string | null }[]> =>
  untilRows<{ change: number; outcome: string; message: string | null }>(
    given.database,
    'select change_number::int as change, outcome, message from observers.attempt order by finished_at',
    atLeast(count),
  );
const outcomes = async (count: number): Promise<string[]> => (await attempts(count)).map(({ outcome }) => outcome).sort();

describe.each<Driver>(['postgres', 'memory'])('%s', (driver) => {
  test('of ten deliveries with the same key one is made, and the others say for which change', async () => {
    await start(driver);
    await insert(1, 10);
    await insert(11, 11, 'paid');
    const all = await attempts(11);
    expect(all.length).toBe(11);
    expect(given.receiver.requests).toHaveLength(2);
    const [first] = all.filter(({ outcome, change }) => outcome === 'succeeded' && change <= 10);
    const skipped = all.filter(({ outcome }) => outcome === 'skipped');
    expect(skipped).toHaveLength(9);
    for (const { message } of skipped) expect(message).toBe(`its dedup key was delivered for change ${first?.change}`);
    expect(await given.database.query('select from observers.pending_delivery')).toEqual([]);
  });

  test('after the window it is made again', async () => {
    await start(driver, { window: 100 });
    await insert(1, 1);
    await given.receiver.waitFor(1);
    await eventually(
      async () => {
        const [row] = await given.database.query<{ id: string }>(
          "insert into orders select max(id) + 1, 'new', 'eva' from orders returning id",
        );
        return row;
      },
      () => given.receiver.requests.length === 2,
    );
  });

  test('a failed delivery lets go of its key, and when another one was faster its own retry is skipped', async () => {
    given.receiver.answer = (request, response) => void response.writeHead(request.body.includes('"key":"1"') ? 500 : 204).end();
    await start(driver);
    await insert(1, 1);
    await given.receiver.waitFor(1);
    await insert(2, 2);
    await given.receiver.waitFor((all) => all.some(({ body }) => body.includes('"key":"2"')));
    given.receiver.answer = status(204);
    await untilRows(given.database, "select from observers.attempt where outcome = 'skipped'", 1);
    expect(given.receiver.requests.filter(({ body }) => body.includes('"key":"2"'))).toHaveLength(1);
    expect(await given.database.query('select from observers.pending_delivery')).toEqual([]);
  });

  test('while one is under way the others wait, use up no attempt, and one of them goes when it fails', async () => {
    const answers: ((code: number) => void)[] = [];
    given.receiver.answer = (_request, response) => void answers.push((code) => response.writeHead(code).end());
    await start(driver);
    await insert(1, 3);
    await given.receiver.waitFor(1);
    await untilRows(given.database, "select from observers.pending_delivery where state = 'retrying' and attempt = 1", 2);
    answers[0]?.(422);
    await given.receiver.waitFor(2);
    answers[1]?.(204);
    await untilRows(given.database, 'select from observers.pending_delivery', 0);
    expect(await outcomes(3)).toEqual(['dead', 'skipped', 'succeeded']);
    expect(given.receiver.requests).toHaveLength(2);
  });
});

test('a key with a value that the event has not is an error, and no two deliveries are taken for one', async () => {
  await start('postgres', { key: '{{ customer }}:{{ nothing }}' });
  await insert(1, 2);
  const letters = await untilRows(given.database, 'select error, message from observers.dead_letter', 2);
  expect(letters[0]).toMatchObject({ error: 'template', message: containing('a value that the event has not') });
});

test('a restart forgets nothing that PostgreSQL keeps', async () => {
  await start('postgres');
  await insert(1, 1);
  await attempts(1);
  await given.stop();
  await start('postgres');
  await insert(2, 2);
  expect(await outcomes(2)).toEqual(['skipped', 'succeeded']);
});
