import { givenOrders } from '../support/fixture';
import { startReceiver } from '../support/receiver';
import { endpointOf, observerOf } from '../support/stream';
import { until, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, customer text)', () =>
  startReceiver((request, response) => void response.writeHead(request.path.startsWith('/ask') ? 200 : 204).end('"found"')),
);

const asked = (): number => given.receiver.requests.filter(({ path }) => path.startsWith('/ask')).length;
const attempts = (count: number): Promise<{ outcome: string }[]> =>
  untilRows<{ outcome: string }>(given.database, 'select outcome from observers.attempt order by change_number', count);

/** The connection that reads the change log is lost: what the term had in memory is worth nothing any more. */
async function nextTerm(): Promise<void> {
  const { terms } = given.stream.service;
  await given.database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fraiseql-observers read' and datname = current_database()",
  );
  await until(() => given.stream.service.terms > terms);
}

test('a lost connection forgets neither a dedup key in memory nor the answer of a look-up', async () => {
  const lookup = { name: 'customer', endpoint: endpointOf(`${given.receiver.url}/ask/{{ customer }}`), ttl: 600_000, staleFor: 0 };
  const changed = { dedup: { key: '{{ id }}', window: 600_000, lease: 60_000 }, lookups: [lookup] };
  await given.start([observerOf('all', endpointOf(`${given.receiver.url}/hook`), changed)], {
    settings: { dedupDriver: 'memory' },
  });
  await given.database.query("insert into orders values (1, 'eva')");
  expect(await attempts(1)).toEqual([{ outcome: 'succeeded' }]);
  expect(asked()).toBe(1);
  await nextTerm();
  // The same key, and the same question.
  await given.database.query("delete from orders; insert into orders values (1, 'eva')");
  const outcomes = (await attempts(3)).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['succeeded', 'skipped', 'skipped']);
  expect(asked()).toBe(1);
});
