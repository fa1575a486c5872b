import type { Explanation } from '../../src/matching/condition/condition';
import type { EventExplanation, ObserverExplanation } from '../../src/explain/explain';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { atLeast, until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const to = (path: string, more = ''): string =>
  `{ type: webhook, url: "${receiver.url}${path}", allow_addresses: [loopback]${more === '' ? ', circuit_breaker: off' : more} }`;
const fileOf = (observers: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order, columns: { exclude: [secret], mask: { email: hash, card: drop } } }]
lookups: { customer: { url: "${receiver.url}/customers/{{ data.id }}", allow_addresses: [loopback] } }
observers:
${observers}
`;

beforeEach(async () => {
  database = await createTestDatabase();
  // /400 answers 400, and so on; the customers are JSON, and the third is not there today.
  receiver = await startReceiver(({ path }, response) => {
    const [, code] = /^\/(\d{3})/.exec(path) ?? [];
    if (!path.startsWith('/customers/')) return void response.writeHead(Number(code ?? 204)).end();
    if (path.endsWith('/3')) return void response.writeHead(503).end();
    return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"plan":"free"}');
  });
  await database.query('create table orders (id int primary key, total numeric, status text, email text, card text, secret text)');
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
  const file = fileOf(observers);
  program.write(file);
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
const insert = (id: number): Promise<unknown> =>
  database.query("insert into orders values ($1, $1 * 10, 'new', 'ann@example.org', '4111', 'x')", [id]);
const lastChange = async (): Promise<string> => {
  const [row] = await database.query<{ change: string }>('select max(pk_entity_change_log)::text as change from core.tb_entity_change_log');
  return row!.change;
};
const explain = (id: string, ...more: string[]): Promise<EventExplanation> => program.json(['debug-event', '--event-id', id, ...more]);
const state = async (observer: string): Promise<string | undefined> => {
  const { observers } = await explain(await lastChange());
  return observers.find(({ name }) => name === observer)?.deliveries[0]?.state;
};
const of = ({ observers }: EventExplanation, name: string): ObserverExplanation => observers.find((one) => one.name === name)!;
const settled = (rows: number): Promise<unknown> =>
  untilRows(database, 'select from observers.attempt union all select from observers.dead_letter where attempts = 0', atLeast(rows));

test('an order that caused no mail: the condition that was not met, with every value, the other entity and the other kind', async () => {
  await start(`
  - { name: big, entity: Order, when: "total > 100 AND (status = 'new' OR vip)", actions: [{ type: log }] }
  - { name: gone, entity: Order, on: [delete], actions: [{ type: log }] }
  - { name: customers, entity: [Customer, Lead], actions: [{ type: log }] }
  - { name: all, entity: Order, actions: [{ type: log, name: say }] }`);
  await insert(1);
  await settled(1);
  const [{ id }] = (await database.query<{ id: string }>('select id from core.tb_entity_change_log')) as [{ id: string }];
  const explained = await explain(id);
  expect(explained).toMatchObject({ state: 'processed', version: 1, event: { id, entityType: 'Order', entityKey: '1', kind: 'insert' } });
  expect(of(explained, 'big')).toMatchObject({ verdict: 'condition not met', why: 'the condition is not met', deliveries: [] });
  const condition: Explanation = of(explained, 'big').condition!;
  expect(condition).toMatchObject({
    value: 'false',
    children: [
      { text: 'total > 100', value: 'false', children: [{ text: 'total', value: '10' }] },
      { value: 'true', children: [{ value: 'true' }, { text: 'vip', value: 'missing', note: 'vip is not in the event' }] },
    ],
  });
  expect(of(explained, 'gone').why).toBe('it is for delete, and this is insert');
  expect(of(explained, 'customers').why).toBe('it is for Customer, Lead, and this is Order');
  expect(of(explained, 'all')).toMatchObject({ verdict: 'matched', deliveries: [{ action: 'say', state: 'delivered' }] });
  const { out, code } = await program.run(['debug-event', '--event-id', id]);
  expect(code).toBe(0);
  expect(out).toMatch(/– big: the condition is not met\n {4}total > 100 AND .* false\n {6}total > 100 +false\n {8}total +10\n/);
  expect(out).toMatch(/✓ all: every event of this entity and kind matches\n {4}→ say \(log\): delivered, at try 1/);
});

test('each gate that stops a delivery says so: refused, waiting for a retry, breaker, parked lane, duplicate, look-up, loop', async () => {
  await start(`
  - { name: refused, entity: Order, retry: { max_attempts: 1 }, actions: [${to('/400')}] }
  - { name: later, entity: Order, retry: { initial_delay: 1h }, actions: [${to('/500')}] }
  - { name: broken, entity: Order, retry: { strategy: fixed, initial_delay: 10ms, max_attempts: 1000 }, actions: [${to('/503', ', circuit_breaker: { minimum: 2, open_for: 1h }')}] }
  - { name: strict, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [${to('/422')}] }
  - { name: once, entity: Order, dedup: { key: "{{ data.status }}", window: 1h }, actions: [{ type: log }] }
  - { name: plan, entity: Order, lookups: [customer], when: "lookups.customer.plan = 'gold'", actions: [{ type: log }] }
  - { name: senseless, entity: Order, when: "status > 1", actions: [{ type: log }] }
  - { name: quiet, entity: Order, on_failure: log, retry: { max_attempts: 1 }, actions: [${to('/404')}] }`);
  await insert(1);
  await until(async () => (await state('strict')) === 'parked');
  await untilRows(database, "select from observers.listener where endpoints::text like '%open%'", 1);
  await database.query('update orders set total = 20 where id = 1');
  await until(async () => (await state('strict')) === 'waiting');
  await until(async () => (await state('once')) === 'skipped');
  const explained = await explain(await lastChange());
  const why = (name: string): string => `${of(explained, name).deliveries[0]!.state}: ${of(explained, name).deliveries[0]!.why}`;
  expect(why('refused')).toMatch(/^dead: http_status: the receiver answered 400.* \(dlq show [\da-f-]{36}\)$/);
  expect(why('later')).toMatch(/^retrying: try 2 comes at \S+Z; the last try failed: http_status: the receiver answered 500/);
  expect(why('broken')).toMatch(/its circuit breaker is open \(\d+ of \d+ requests failed\)/);
  expect(why('strict')).toMatch(/^waiting: it waits behind change 1 of its strict lane \(lanes list\)$/);
  expect(why('once')).toBe('skipped: its dedup key was delivered for change 1');
  expect(why('plan')).toBe('skipped: with what was looked up, the condition is not met');
  expect(of(explained, 'plan')).toMatchObject({ verdict: 'undecided', condition: { value: 'unknown' } });
  expect(of(explained, 'senseless')).toMatchObject({ verdict: 'no answer', deliveries: [{ state: 'dead' }] });
  expect(why('quiet')).toMatch(/^logged: http_status: .*on_failure: log keeps no dead letter$/);
  expect(of(await explain('1'), 'strict').deliveries[0]!.why).toContain(
    'lanes resume --observer strict --action webhook --entity-type Order --entity-key 1 tries it once more',
  );
});

test('it works with the service stopped, and says what it cannot know', async () => {
  await start(`  - { name: later, entity: Order, retry: { initial_delay: 1h }, actions: [${to('/500')}] }`);
  await insert(1);
  await settled(1);
  await service!.stop();
  await insert(2);
  expect(of(await explain('1'), 'later').deliveries[0]!.why).toContain('no service leads the stream');
  const waiting = await explain('2');
  expect(waiting).toMatchObject({ state: 'waiting', version: 1 });
  expect(of(waiting, 'later')).toMatchObject({ verdict: 'matched', deliveries: [{ state: 'not begun', attempts: [] }] });
});

test('a renamed observer, another version, a masked column: said, and not guessed', async () => {
  await start(`  - { name: old, entity: Order, actions: [{ type: log }] }`);
  await insert(1);
  await settled(1);
  await service!.stop();
  await start(`  - { name: new, entity: Order, when: "email = 'ann@example.org'", actions: [{ type: log }] }`);
  await insert(2);
  await until(async () => (await explain('2')).state === 'processed');
  expect(await explain('1')).toMatchObject({ version: 1, observers: [{ name: 'old', verdict: 'matched' }] });
  const current = await explain('1', '--current');
  expect(current).toMatchObject({
    version: 2,
    notes: expect.arrayContaining(['explained by the current version 2; version 1 decided']) as string[],
  });
  expect(of(current, 'old')).toMatchObject({
    verdict: 'not in this configuration',
    why: 'version 2 has no such observer or action; it was tried by version 1',
  });
  expect(of(current, 'old').deliveries).toMatchObject([{ state: 'delivered', type: null }]);
  const masked = await explain('2');
  expect(of(masked, 'new')).toMatchObject({ verdict: 'condition not met', deliveries: [] });
  expect(masked.notes).toEqual([
    'secret of public.orders: excluded from capture, not in the event',
    'email of public.orders: masked, the event holds a hash of the value',
    'card of public.orders: masked, the event tells a change but no value',
  ]);
});

test('a replay of what did not match, a change in quarantine, a row that is no change and history are told apart', async () => {
  await start(`  - { name: big, entity: Order, when: "total > 100", actions: [{ type: log }] }`);
  await insert(1);
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'SHRUG'), ('Order', '1', 'NOOP')",
  );
  await database.query(
    "alter table core.tb_entity_change_log disable trigger observers_force; insert into core.tb_entity_change_log (object_type, object_key, modification_type, change_xid) values ('Order', '1', 'INSERT', null); alter table core.tb_entity_change_log enable always trigger observers_force",
  );
  await until(async () => (await explain('3')).state === 'ignored');
  expect(await explain('2')).toMatchObject({
    state: 'quarantined',
    event: null,
    why: containing('unknown_verb'),
    notes: [containing('dlq retry')],
  });
  expect(await explain('4')).toMatchObject({ state: 'history' });
  const history = await program.json<EventExplanation[]>(['debug-event', '--history', '3']);
  expect(history.map(({ changeNumber }) => changeNumber)).toEqual([4, 3, 2]);
  const { out } = await program.run(['debug-event', '--history', '9', '--kind', 'insert', '--entity-type', 'Order']);
  expect(out).toMatch(
    /^change +written +event +entity +kind +state +deliveries *\n4 .*history.*\n1 .*Order 1 +insert +processed +none: no observer matched *\n$/,
  );
});

test('secrets that only the service has need not be at hand, and no digit is lost', async () => {
  program = programOn(database, fileOf(''));
  const file = fileOf(`  - { name: all, entity: Order, actions: [{ type: webhook, url: "\${HOOK}", allow_addresses: [loopback] }] }`);
  service = await startTestService(database.url, { file, env: { HOOK: `${receiver.url}/hook` } });
  await database.query('insert into orders (id, total) values (1, 12345678901234567890.10)');
  await settled(1);
  const { out } = await program.run(['debug-event', '--event-id', '1', '--format', 'json']);
  expect(out).toContain('"total": 12345678901234567890.10,');
  expect((JSON.parse(out) as EventExplanation).observers).toMatchObject([{ name: 'all', deliveries: [{ state: 'delivered' }] }]);
});

test('an event that is not there, an id that is none and no question at all are told apart', async () => {
  const unknown = await program.run(['debug-event', '--event-id', '01890000-0000-7000-8000-000000000000']);
  expect(unknown).toMatchObject({ code: 5, err: containing('there is no event 01890000') });
  expect(await program.run(['debug-event', '--event-id', 'evt_1'])).toMatchObject({
    code: 1,
    err: containing('--history 20'),
  });
  expect(await program.run(['debug-event'])).toMatchObject({ code: 1, err: containing('say which event') });
  expect(await program.run(['debug-event', '--history', '5'])).toMatchObject({ code: 0 });
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'INSERT')",
  );
  expect(await explain('1')).toMatchObject({
    state: 'waiting',
    version: null,
    observers: [],
    notes: ['no service has led this stream yet: there is no configuration to explain by'],
  });
});
