import type { Audit } from '../../src/audit/verify';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { untilLeading, untilRead, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const fileOf = (observers: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback], circuit_breaker: off } }
observers:
${observers}
`;

/** All states at once: of 10 orders each is delivered by \`all\`, refused to \`refused\`, and of \`big\` only three. */
const OBSERVERS = `
  - { name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }, { type: log }] }
  - { name: big, entity: Order, when: "total > 70", actions: [{ type: log }] }
  - { name: refused, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, url: "{URL}/refuse", allow_addresses: [loopback], circuit_breaker: off }] }
  - { name: quiet, entity: Order, on_failure: log, retry: { max_attempts: 1 }, actions: [{ type: webhook, url: "{URL}/refuse", allow_addresses: [loopback], circuit_breaker: off }] }
  - { name: once, entity: Order, dedup: { key: "{{ data.note }}", window: 1h }, actions: [{ type: log }] }
  - { name: later, entity: Order, retry: { strategy: fixed, initial_delay: 1h, max_delay: 1h, max_attempts: 2 }, actions: [{ type: webhook, url: "{URL}/refuse?later", allow_addresses: [loopback], circuit_breaker: off }] }
  - { name: strict, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ type: webhook, url: "{URL}/refuse?strict", allow_addresses: [loopback], circuit_breaker: off }] }
  - { name: broken, entity: Order, when: "note > 1", actions: [{ type: log }] }
  - { name: others, entity: Customer, actions: [{ type: log }] }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(
    ({ path }, response) => void response.writeHead(path.startsWith('/refuse') ? (path.includes('later') ? 503 : 400) : 204).end(),
  );
  await database.query('create table orders (id int primary key, total numeric, note text)');
  program = programOn(database, fileOf(''));
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (observers: string): Promise<void> => {
  const file = fileOf(observers.replaceAll('{URL}', receiver.url));
  program.write(file);
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
const insert = (from: number, to: number): Promise<unknown> =>
  database.query(`insert into orders select i, i * 10, 'a' from generate_series($1::int, $2::int) i`, [from, to]);
/** The stream has passed everything. */
const passed = async (): Promise<void> => {
  await untilRead(database);
};
const verify = (...more: string[]): Promise<Audit> => program.json(['audit', 'verify', ...more]);

test('every change and every observer is accounted for, in each way in which it can be', async () => {
  await start(OBSERVERS);
  await insert(1, 10);
  await passed();
  await untilRows(database, "select from observers.pending_delivery where state = 'parked'", 10);
  expect(await verify()).toEqual({
    stream: 'main',
    changes: 10,
    quarantined: 0,
    ignored: 0,
    passedOver: 0,
    notMatched: 7 + 10,
    delivered: 10 + 10 + 3 + 1,
    skipped: 9,
    shadow: 0,
    // refused, quiet, and those whose condition has no answer.
    dead: 10 + 10 + 10,
    discarded: 0,
    parked: 10,
    pending: 10,
    dismissed: 0,
    unaccounted: 0,
    list: [],
    unverifiable: { versionUnknown: 0, versionUnreadable: 0, clock: 0, outside: 0, size: 0 },
  });
  await program.run(['dlq', 'remove', '--observer', 'refused', '--force']);
  await program.run(['lanes', 'skip', '--observer', 'strict', '--yes']);
});

test('an attempt that was deleted by hand is found, named, and delivered again by the command that is printed', async () => {
  await start(OBSERVERS.split('\n').slice(0, 3).join('\n'));
  await insert(1, 10);
  await passed();
  expect((await verify()).unaccounted).toBe(0);
  await database.query(
    "delete from observers.attempt where observer = 'all' and action = 'webhook' and change_number = (select min(change_number) + 4 from observers.attempt)",
  );
  const { code, out } = await program.run(['audit', 'verify']);
  expect(code).toBe(1);
  expect(out).toMatch(/unaccounted\s+1\n/);
  expect(out).toMatch(/Order 5 +all\/webhook/);
  const [, command] = /fraiseql-observers (replay .*) --dry-run/.exec(out) ?? [];
  const { token } = await program.json<{ token: string }>([...command!.split(' '), '--dry-run']);
  await program.run(['replay', '--token', token, '--yes']);
  expect((await verify()).unaccounted).toBe(0);
  expect(await program.run(['audit', 'verify'])).toMatchObject({ code: 0 });
});

test('a try that was to be followed by another accounts for nothing', async () => {
  await start(
    OBSERVERS.split('\n')
      .filter((line) => line.includes('name: later'))
      .join('\n'),
  );
  await insert(1, 2);
  await passed();
  await untilRows(database, "select from observers.pending_delivery where state = 'retrying'", 2);
  expect(await verify()).toMatchObject({ pending: 2, unaccounted: 0 });
  await database.query('delete from observers.pending_delivery where change_number = (select min(change_number) from observers.attempt)');
  expect(await verify()).toMatchObject({ pending: 1, unaccounted: 1, list: [{ entityKey: '1', observer: 'later', action: 'webhook' }] });
});

test('each change is judged by the configuration that decided it, and a change from before is said to be', async () => {
  const before = '  - { name: all, entity: Order, actions: [{ type: log }] }';
  await start(before);
  await insert(1, 3);
  await passed();
  await service!.stop();
  await start('  - { name: renamed, entity: Order, actions: [{ type: log, name: one }, { type: log, name: two }] }');
  await insert(4, 5);
  await passed();
  expect(await verify()).toMatchObject({ changes: 5, delivered: 3 + 4, unaccounted: 0 });
  expect(await verify('--since', '1h')).toMatchObject({ changes: 5 });
  expect(await verify('--since', '2020-01-01')).toMatchObject({ changes: 5 });
  // As in a database whose stream was read before versions were recorded.
  await database.query('delete from observers.config_period where number = (select min(number) from observers.config_period)');
  expect(await verify()).toMatchObject({ changes: 5, delivered: 4, unaccounted: 0, unverifiable: { versionUnknown: 3 } });
});

test('what stands in quarantine is accounted for, and what is missing there is not', async () => {
  await start(OBSERVERS.split('\n').slice(0, 3).join('\n'));
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'SHRUG'), ('Order', '1', 'NOOP')",
  );
  await passed();
  expect(await verify()).toMatchObject({ changes: 2, quarantined: 1, ignored: 1, unaccounted: 0 });
  await database.query('delete from observers.quarantine');
  expect(await verify()).toMatchObject({ quarantined: 0, unaccounted: 1 });
});

test('a condition that reads the clock is not held against anybody', async () => {
  await start(`  - { name: young, entity: Order, when: "AGE(event.timestamp) > '1h'", actions: [{ type: log }] }`);
  await insert(1, 2);
  await passed();
  expect(await verify()).toMatchObject({ unaccounted: 0, unverifiable: { clock: 2 } });
});
