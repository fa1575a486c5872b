import { createServer, type AddressInfo } from 'node:net';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { eventually } from '../support/until';

const ROUNDS = 20;

let database: TestDatabase;
let receiver: Receiver;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table public.orders (id int primary key)');
});

afterAll(async () => {
  await receiver.close();
  await database.drop();
});

const FILE = (url: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${url}/hook", allow_addresses: [loopback] } }
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }] }]
`;

/** One life of the service, with a delivery in it. */
async function live(round: number): Promise<void> {
  const service = await startTestService(database.url, { file: FILE(receiver.url) });
  await database.query('insert into orders values ($1)', [round]);
  await receiver.waitFor(round);
  await service.stop();
}

/** What keeps a process from ending, and what it listens to, by kind and number. */
function held(): Record<string, number> {
  const all = process.getActiveResourcesInfo().map((kind) => `handle ${kind}`);
  const counts: Record<string, number> = {};
  for (const kind of all) counts[kind] = (counts[kind] ?? 0) + 1;
  for (const event of process.eventNames()) counts[`listener ${String(event)}`] = process.listenerCount(event);
  return counts;
}

const sessions = (): Promise<{ role: string }[]> =>
  database.query<{ role: string }>(
    'select application_name as role from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );

const notMoreThan = (before: Record<string, number>, now: Record<string, number>): string[] =>
  Object.keys(now)
    .filter((kind) => now[kind]! > (before[kind] ?? 0))
    .map((kind) => `${kind}: ${before[kind] ?? 0} → ${now[kind]}`);

test(`${ROUNDS} starts and stops in one process leave no handle, timer, listener, session, lock or lease behind`, async () => {
  // What is made once per process, as by loading modules, is made in the first round.
  await live(1);
  // Sockets of the receiver and of ended sessions close a moment later.
  const before = await eventually(held, (now) => (now['handle Timeout'] ?? 0) <= 2);
  for (let round = 2; round <= ROUNDS; round++) await live(round);
  const left = (): string[] => notMoreThan(before, held());
  expect(await eventually(left, (more) => more.length === 0)).toEqual([]);
  expect(await eventually(sessions, (rows) => rows.length === 0)).toEqual([]);
  expect(await database.query('select id from observers.listener')).toEqual([]);
  const locks =
    "select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
  expect(await database.query(locks)).toEqual([]);
  expect(receiver.requests).toHaveLength(ROUNDS);
});

test('a start that fails half-way leaves nothing behind either', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const port = String((taken.address() as AddressInfo).port);
  const fail = (): Promise<unknown> =>
    startTestService(database.url, { env: { OBSERVERS_PORT: port } }).then(
      () => 'started',
      (error: Error) => error.message,
    );
  expect(await fail()).toContain('is in use');
  const before = held();
  for (let round = 0; round < 5; round++) expect(await fail()).toContain('is in use');
  const left = (): string[] => notMoreThan(before, held());
  await eventually(left, (more) => more.length === 0);
  await eventually(sessions, (rows) => rows.length === 0);
  taken.close();
});
