import { hostname } from 'node:os';
import { Client } from 'pg';
import type { Detailed } from '../../src/cli/status/detail';
import type { InstanceState } from '../../src/cli/status/listener';
import type { ListenerStatus } from '../../src/status/status-detail.sql';
import type { StreamStatus } from '../../src/status/status.sql';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { deadLetters, programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver((_request, response) => void response.writeHead(503).end());
  program = programOn(database, 'version: 1\nobservers: []\n');
  await database.query('create table orders (id int primary key)');
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const detailed = async (): Promise<Detailed> => (await program.json<{ detail: Detailed }>(['status', '--detailed'])).detail;

/** A service whose only endpoint fails until its breaker opens. */
async function withOpenBreaker(): Promise<void> {
  const file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { failing: { url: "${receiver.url}/", allow_addresses: [loopback], circuit_breaker: { failure_rate: 0.5, minimum: 2, window: 60s, open_for: 1h } } }
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: failing }] }]
`;
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
  await database.query('insert into orders select generate_series(1, 5)');
  await until(() => service!.streams.main.breakers().some(({ state }) => state === 'open'));
}

test('of a service on this machine the breakers are as they are now', async () => {
  await withOpenBreaker();
  const { leading, listeners, observers, endpoints } = await detailed();
  expect(leading).toEqual({ source: 'live', age: 0, inFlight: expect.any(Number) as number, breakers: { failing: 'open' } });
  expect(listeners).toMatchObject([{ id: service!.streams.main.holder, alive: true, leads: true, epoch: 1, host: hostname() }]);
  expect(observers.map(({ observer }) => observer)).toEqual(['all']);
  expect(endpoints).toMatchObject([{ endpoint: 'failing' }]);
  const { out } = await program.run(['status', '--detailed']);
  expect(out).toMatch(/failing +open/);
  expect(out).toContain('does again and again: heartbeat main, retention main, token watch, upkeep main');
  expect(out).toMatch(new RegExp(`${service!.streams.main.holder} +\\S+ +${service!.address} +leads`));
});

test('of a service elsewhere its last heartbeat counts, with its age', async () => {
  await withOpenBreaker();
  // The next beats leave the host as it is.
  await database.query("update observers.listener set host = 'elsewhere'");
  await untilRows(database, 'select from observers.listener where endpoints @> \'[{"breaker": {"state": "open"}}]\'', 1);
  const { leading } = await detailed();
  expect(leading).toEqual({
    source: 'heartbeat',
    age: expect.any(Number) as number,
    inFlight: expect.any(Number) as number,
    breakers: null,
  });
  const { out } = await program.run(['status', '--detailed']);
  expect(out).toMatch(/failing +open/);
  expect(out).toMatch(/Breakers are as of the last heartbeat, [\d.]+ s ago/);
  const one = await program.run(['status', '--listener', service!.streams.main.holder]);
  expect(one.out).toMatch(/in flight +\d+, as of its last heartbeat/);
});

test('with the service stopped it says what cannot be known, and counts what the database knows', async () => {
  await deadLetters(database, 3, { error: 'timeout', endpoint: 'hook' });
  await deadLetters(database, 1, { error: 'tls', observer: 'other', endpoint: 'hook' });
  await database.query(
    `insert into observers.quarantine (change_number, stream, reason, message)
     select min(pk_entity_change_log), 'main', 'unknown_verb', 'x' from core.tb_entity_change_log`,
  );
  const { leading, observers, endpoints, dead, listeners } = await detailed();
  expect(leading).toBeNull();
  expect(listeners).toEqual([]);
  expect(observers).toMatchObject([
    { observer: 'all', dead: 3, retrying: 0 },
    { observer: 'other', dead: 1 },
  ]);
  expect(endpoints).toMatchObject([{ endpoint: 'hook', dead: 4 }]);
  expect(dead.map(({ kind, error, count }) => [kind, error, count].join(' '))).toEqual([
    'delivery timeout 3',
    matching(/delivery tls 1|quarantine unknown_verb 1/),
    matching(/delivery tls 1|quarantine unknown_verb 1/),
  ]);
  const { out } = await program.run(['status', '--detailed']);
  expect(out).toMatch(/hook +unknown +unknown/);
  expect(out).toContain('Breakers, and what waits in memory, are unknown: no service answers for the stream.');
});

test('what holds the stream back is named with pid, user and the age of its query, and so is a prepared transaction', async () => {
  const holder = new Client({ connectionString: database.url, application_name: 'nightly import' });
  await holder.connect();
  await holder.query('begin');
  await holder.query('insert into orders values (1)');
  const [{ pid }] = (await database.query<{ pid: number }>(
    "select pid from pg_stat_activity where application_name = 'nightly import'",
  )) as [{ pid: number }];
  const { transactions } = await eventually(detailed, (found) => found.transactions.length > 0);
  expect(transactions).toMatchObject([{ pid, user: 'postgres', application: 'nightly import', state: 'idle in transaction' }]);
  expect(transactions[0]!.transactionSeconds).toBeGreaterThan(10);
  expect(transactions[0]!.querySeconds).toBeGreaterThan(5);
  await holder.query("prepare transaction 'two phases'");
  await holder.end();
  try {
    expect((await detailed()).transactions).toMatchObject([{ pid: null, state: 'prepared: two phases', querySeconds: null }]);
  } finally {
    await database.query("rollback prepared 'two phases'");
  }
});

test('one instance is shown by its id or the beginning of it, and one that is not there exits 5', async () => {
  service = await startTestService(database.url);
  await untilLeading(service.streams.main);
  const { holder } = service.streams.main;
  const shown = await program.json<ListenerStatus & { state: InstanceState }>(['status', '--listener', holder.slice(0, -2)]);
  expect(shown).toMatchObject({ id: holder, leads: true, pid: process.pid, address: service.address, state: { source: 'live' } });
  const timersOf = async (): Promise<readonly string[]> => (await program.json<ListenerStatus>(['status', '--listener', holder])).timers;
  await eventually(timersOf, (timers) => timers.length > 0);
  const { out } = await program.run(['status', '--listener', holder]);
  expect(out).toMatch(/heartbeat +[\d.]+ s ago/);
  expect(out).toMatch(/timers +heartbeat main, retention main, token watch, upkeep main\n/);
  expect(out).toMatch(/in flight +0, as it says now/);
  expect(await program.run(['status', '--listener', 'nobody'])).toMatchObject({ code: 5, err: containing('there is no listener nobody') });
  await service.stop();
  service = null;
  await database.query(
    "insert into observers.listener (id, stream, host, pid, version, heartbeat_at) values ('gone:1', 'main', 'gone', 1, '0', now() - interval '5 min')",
  );
  const silent = await program.run(['status', '--listener', 'gone']);
  expect(silent.out).toMatch(/state +silent/);
  expect(silent.out).toMatch(/in flight +unknown: it does not answer/);
});

test('a table that is not captured as the file asks is named, in text and in JSON, and another process knows only of a leader', async () => {
  const file = 'version: 1\ncapture: [{ table: public.orders, entity: Order }]\nobservers: []\n';
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
  const drift = async (): Promise<unknown> => (await program.json<StreamStatus>(['status'])).captureDrift;
  await eventually(drift, (now) => JSON.stringify(now) === '[]');
  expect((await program.run(['status', '--detailed'])).out).toContain('every table is captured as the observers file asks');
  await database.query('alter table orders disable trigger observers_capture_insert');
  await service.streams.main.captureWatch.look();
  const reason = 'observers_capture_insert on public.orders is not ENABLE ALWAYS: writes go by unseen';
  expect(await eventually(drift, (now) => JSON.stringify(now) !== '[]')).toMatchObject([
    { table: 'public.orders', entity: 'Order', state: 'drifted', reasons: [reason] },
  ]);
  expect((await program.run(['status'])).out).toMatch(
    new RegExp(`^capture +public\\.orders: drifted since \\S+: ${reason} +\\(capture check\\)$`, 'm'),
  );
  expect((await program.run(['status', '--detailed'])).out).toMatch(new RegExp(`public\\.orders +Order +drifted +.+${reason}`));
  await service.stop();
  service = null;
  expect(await drift()).toBeNull();
  expect((await program.run(['status', '--detailed'])).out).toContain('unknown: no service leads');
});
