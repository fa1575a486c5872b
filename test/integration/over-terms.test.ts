import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { until, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let stream: TestStream;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(
    (request, response) => void response.writeHead(request.path.startsWith('/ask') ? 200 : 204).end('"found"'),
  );
  await database.query('create table public.orders (id bigint primary key, customer text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await stream.stop();
  await receiver.close();
  await database.drop();
});

const asked = (): number => receiver.requests.filter(({ path }) => path.startsWith('/ask')).length;
const attempts = (count: number): Promise<{ outcome: string }[]> =>
  untilRows<{ outcome: string }>(database, 'select outcome from observers.attempt order by change_number', count);

/** The connection that reads the change log is lost: what the term had in memory is worth nothing any more. */
async function nextTerm(): Promise<void> {
  const { terms } = stream.service;
  await database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fraiseql-observers read' and datname = current_database()",
  );
  await until(() => stream.service.terms > terms);
}

test('a lost connection forgets neither a dedup key in memory nor the answer of a look-up', async () => {
  const lookup = { name: 'customer', endpoint: endpointOf(`${receiver.url}/ask/{{ customer }}`), ttl: 600_000, staleFor: 0 };
  const changed = { dedup: { key: '{{ id }}', window: 600_000, lease: 60_000 }, lookups: [lookup] };
  stream = await startStream(database.url, [observerOf('all', endpointOf(`${receiver.url}/hook`), changed)], {
    settings: { dedupDriver: 'memory' },
  });
  await database.query("insert into orders values (1, 'eva')");
  expect(await attempts(1)).toEqual([{ outcome: 'succeeded' }]);
  expect(asked()).toBe(1);
  await nextTerm();
  // The same key, and the same question.
  await database.query("delete from orders; insert into orders values (1, 'eva')");
  const outcomes = (await attempts(3)).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['succeeded', 'skipped', 'skipped']);
  expect(asked()).toBe(1);
});
