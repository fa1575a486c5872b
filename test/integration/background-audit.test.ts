import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { eventually, until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const fileOf = (observers: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback], circuit_breaker: off } }
lookups: { customer: { url: "${receiver.url}/customer", allow_addresses: [loopback] } }
observers:
${observers.replaceAll('{URL}', receiver.url)}
`;
const REFUSED = 'type: webhook, url: "{URL}/refuse", allow_addresses: [loopback], circuit_breaker: off';

/** Every way in which a delivery can be accounted for, or need not be. */
const OBSERVERS = `
  - { name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }, { type: log }] }
  - { name: big, entity: Order, when: "total > 70", actions: [{ type: log }] }
  - { name: refused, entity: Order, retry: { max_attempts: 1 }, actions: [{ ${REFUSED} }] }
  - { name: quiet, entity: Order, on_failure: log, retry: { max_attempts: 1 }, actions: [{ ${REFUSED} }] }
  - { name: once, entity: Order, dedup: { key: "{{ data.note }}", window: 1h }, actions: [{ type: log }] }
  - { name: later, entity: Order, retry: { strategy: fixed, initial_delay: 1h, max_delay: 1h, max_attempts: 2 }, actions: [{ ${REFUSED} }] }
  - { name: strict, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ ${REFUSED} }] }
  - { name: broken, entity: Order, when: "note > 1", actions: [{ type: log }] }
  - { name: looked, entity: Order, lookups: [customer], when: "lookups.customer.plan = 'none'", actions: [{ type: log }] }
  - { name: young, entity: Order, when: "AGE(event.timestamp) > '1h'", actions: [{ type: log }] }
  - { name: outside, entity: Order, when: "total > \${LIMIT}", actions: [{ type: log }] }
  - { name: held, entity: Order, actions: [{ type: log }] }
  - { name: others, entity: Customer, actions: [{ type: log }] }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => {
    if (path === '/customer') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"plan":"gold"}');
    return void response.writeHead(path.startsWith('/refuse') ? 503 - 100 * Number(path === '/refuse') : 204).end();
  });
  await database.query('create table orders (id int primary key, total numeric, note text)');
  program = programOn(database, fileOf(''), { LIMIT: '1000' });
});

afterEach(async () => {
  await stop();
  program.remove();
  await receiver.close();
  await database.drop();
});

const stop = async (): Promise<void> => {
  await service?.stop();
  service = null;
};
const start = async (observers: string, env: Readonly<Record<string, string>> = {}): Promise<void> => {
  const file = fileOf(observers);
  program.write(file);
  service = await startTestService(database.url, { file, env: { OBSERVERS_AUDIT_INTERVAL: '30ms', LIMIT: '1000', ...env } });
  await untilLeading(service.streams.main);
};
const insert = (from: number, to: number): Promise<unknown> =>
  database.query(`insert into orders select i, i * 10, 'a' from generate_series($1::int, $2::int) i`, [from, to]);
/** The audit has been through what is there, and once around it. */
const audited = async (): Promise<void> => {
  const [log] = await database.query<{ last: number }>('select max(pk_entity_change_log)::int as last from core.tb_entity_change_log');
  const places =
    'select 1 from observers.audit a join observers.checkpoint c using (stream) where a.previous::text = c.previous::text and a.target is null and not exists (select from core.tb_entity_change_log l where not pg_visible_in_snapshot(l.change_xid, a.previous))';
  await untilRows(database, places, 1);
  const patrolled = async (): Promise<number> =>
    (await database.query<{ patrolled: number }>('select patrolled::int as patrolled from observers.audit'))[0]!.patrolled;
  // From its beginning to its end: it wraps at the end.
  await eventually(patrolled, (at) => at === 0);
  await eventually(patrolled, (at) => at === log!.last);
};
const open = (): Promise<{ change: number; observer: string; action: string }[]> =>
  database.query(
    'select change_number::int as change, observer, action from observers.unaccounted where dismissed_at is null order by 1, 2, 3',
  );
const gauge = async (name = 'observer_unaccounted_events'): Promise<number | null> => {
  const { text } = await request(`http://${service!.address}`).get('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`));
  return line === undefined ? null : Number(line.split(' ').at(-1));
};
/** The rule that is delivered, applied to a value as Prometheus would. */
const alerts = (value: number): boolean => {
  const [, threshold] = /alert: ObserversUnaccounted\s+expr: max by \(stream\) \(observer_unaccounted_events\) > (\d+)\n/.exec(
    readFileSync(join(__dirname, '../../helm/files/rules.yaml'), 'utf8'),
  )!;
  return value > Number(threshold);
};

test('an attempt that is deleted by hand makes the gauge 1 and the alert fire; the replay that is printed repairs it, and the gauge is 0 again', async () => {
  await start(`  - { name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }, { type: log }] }`);
  await insert(1, 10);
  await receiver.waitFor(10);
  await audited();
  await until(async () => (await gauge()) === 0);
  expect(alerts(0)).toBe(false);
  await database.query(
    "delete from observers.attempt where action = 'webhook' and change_number = (select min(change_number) + 4 from observers.attempt)",
  );
  const value = await eventually(
    () => gauge(),
    (now) => now !== 0,
  );
  expect(value).toBe(1);
  expect(alerts(value!)).toBe(true);
  expect((await program.run(['status'])).out).toMatch(/unaccounted +1 delivery must be on record and is not/);
  const doctor = await program.json<{ check: string; state: string; repair: string }[]>(['doctor']);
  expect(doctor.find(({ check }) => check === 'audit')).toMatchObject({ state: 'problem', repair: 'fraiseql-observers audit list' });
  const { out } = await program.run(['audit', 'list']);
  expect(out).toMatch(/Order 5 +all\/webhook/);
  const [, command] = /fraiseql-observers (replay .*) --dry-run/.exec(out) ?? [];
  const { token, count } = await program.json<{ token: string; count: number }>([...command!.split(' '), '--dry-run']);
  expect(count).toBe(1);
  await program.run(['replay', '--token', token, '--yes']);
  await until(async () => (await gauge()) === 0);
  expect((await program.run(['audit', 'list'])).out).toMatch(/nothing is missing; accounted for up to/);
  expect((await program.run(['status'])).out).not.toContain('unaccounted');
});

test('nothing that is accounted for in any way is called missing, before and after a restart', async () => {
  await start(OBSERVERS);
  await program.run(['observers', 'pause', 'held']);
  await until(async () =>
    (await program.json<{ name: string; paused: object | null }[]>(['observers', 'list'])).some(({ paused }) => paused !== null),
  );
  await insert(1, 10);
  await database.query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, extra_metadata) values
    ('Order', '1', 'SHRUG', null), ('Order', '1', 'NOOP', null), ('Order', '1', 'UPDATE', '{"capture_error": "x"}')`);
  await audited();
  expect(await open()).toEqual([]);
  await program.run(['dlq', 'remove', '--observer', 'refused', '--force']);
  await program.run(['lanes', 'skip', '--observer', 'strict', '--yes']);
  await stop();
  await start(OBSERVERS, { LIMIT: '10', OBSERVERS_MAX_EVENT_SIZE: '10B' });
  await audited();
  expect(await open()).toEqual([]);
  expect(await gauge()).toBe(0);
});

test('an observer that was renamed between versions is judged by each change as it was, and by no version that cannot be read', async () => {
  await start('  - { name: before, entity: Order, actions: [{ type: log }] }', { OBSERVERS_AUDIT_INTERVAL: '0ms' });
  await insert(1, 5);
  await untilRows(database, 'select from observers.attempt', 5);
  await stop();
  await start('  - { name: after, entity: Order, actions: [{ type: log, name: one }, { type: log, name: two }] }');
  await insert(6, 8);
  await audited();
  expect(await open()).toEqual([]);
  await database.query("update observers.config_version set source = '{' where id = 1");
  await stop();
  await database.query('delete from observers.audit');
  await start('  - { name: after, entity: Order, actions: [{ type: log, name: one }, { type: log, name: two }] }');
  await audited();
  expect(await open()).toEqual([]);
});

test('a change that leaves quarantine is judged by the version that decided it then', async () => {
  await start('  - { name: before, entity: Order, actions: [{ type: log }] }');
  await database.query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data)
    values ('Order', '1', 'SHRUG', '{"id": 1}'), ('Order', '2', 'SHRUG', '{"id": 2}')`);
  await audited();
  await stop();
  const broken = '  - { name: broken, entity: Order, when: "id > \'a\'", actions: [{ type: log }] }';
  await start(`  - { name: after, entity: Order, actions: [{ type: log }] }\n${broken}`);
  await database.query("update core.tb_entity_change_log set modification_type = 'INSERT'");
  const items = await program.json<{ items: { id: string }[] } | { id: string }[]>(['dlq', 'list']);
  for (const { id } of Array.isArray(items) ? items : items.items) await program.run(['dlq', 'retry', id]);
  const decisions = 'select change_number::int as change, config_version as version from observers.late_decision where audited';
  expect(await untilRows(database, decisions, 2)).toEqual([
    expect.objectContaining({ version: 2 }),
    expect.objectContaining({ version: 2 }),
  ]);
  await audited();
  expect(await open()).toEqual([]);
  // A condition without an answer is a dead letter here too, and not taken for true.
  expect(await database.query("select error from observers.dead_letter where observer = 'broken'")).toEqual([
    { error: 'condition' },
    { error: 'condition' },
  ]);
  expect(await program.json(['audit', 'verify'])).toMatchObject({ changes: 2, delivered: 2, dead: 2, unaccounted: 0 });
  // What is lost of them is found too.
  await database.query("delete from observers.attempt where observer = 'after' and change_number = 2");
  await database.query('update observers.late_decision set audited = false');
  await eventually(open, (all) => all.length > 0);
  expect(await open()).toEqual([{ change: 2, observer: 'after', action: 'log' }]);
});

test('what lies before the retention, and before versions were recorded, is not held against anybody', async () => {
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }', { OBSERVERS_RETENTION: '1h' });
  await insert(1, 4);
  await audited();
  await database.query("update core.tb_entity_change_log set created_at = now() - interval '2 h' where pk_entity_change_log <= 2");
  await database.query('delete from observers.attempt where change_number <= 2');
  await audited();
  expect(await open()).toEqual([]);
  await database.query('delete from observers.config_period');
  await database.query('delete from observers.attempt');
  await audited();
  expect(await open()).toEqual([]);
});

test('what a person dismisses is counted no longer, stays on record, and is not found again', async () => {
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }');
  await insert(1, 3);
  await audited();
  await database.query('delete from observers.attempt where change_number = 2');
  await eventually(open, (all) => all.length === 1);
  expect(await program.run(['audit', 'dismiss', '7', '--yes'])).toMatchObject({ code: 5 });
  expect(await program.run(['audit', 'dismiss'])).toMatchObject({ code: 1 });
  expect(await program.json(['audit', 'dismiss', '2', '--reason', 'a test', '--yes'])).toEqual({ dismissed: 1 });
  await audited();
  expect(await open()).toEqual([]);
  expect(await database.query('select reason from observers.unaccounted')).toEqual([{ reason: 'a test' }]);
  expect(await program.json(['audit', 'verify'])).toMatchObject({ dismissed: 1, unaccounted: 0 });
  expect(await program.run(['audit', 'verify'])).toMatchObject({ code: 0 });
});

test('a change that belongs into quarantine and is not there is found, and a new leader goes on where the last one was', async () => {
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }');
  await insert(1, 3);
  await database.query("insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'SHRUG')");
  await audited();
  await database.query('delete from observers.quarantine');
  await eventually(open, (all) => all.length === 1);
  expect(await open()).toMatchObject([{ observer: '(quarantine)', action: 'unknown_verb' }]);
  const place = 'select previous::text, epoch::int from observers.audit';
  const [before] = await database.query<{ previous: string; epoch: number }>(place);
  await stop();
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }');
  const [after] = await eventually(
    () => database.query<{ previous: string; epoch: number }>(place),
    ([row]) => row!.epoch > before!.epoch,
  );
  expect(after!.previous).toBe(before!.previous);
  // Nothing of a leader that has been followed by another is written.
  await database.query('update observers.lease set epoch = epoch + 1');
  await database.query('delete from observers.attempt');
  expect(await open()).toHaveLength(1);
});

test('with the audit switched off there is no gauge, and doctor says that nobody looks', async () => {
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }', { OBSERVERS_AUDIT_INTERVAL: '0ms' });
  await insert(1, 3);
  await untilRows(database, 'select from observers.attempt', 3);
  expect(await gauge()).toBeNull();
  expect(await gauge('observer_audit_age_seconds')).toBeNull();
  expect(await gauge('observer_lag_events')).toBe(0);
  expect(await database.query('select from observers.audit')).toEqual([]);
  const off = programOn(database, fileOf(''), { OBSERVERS_AUDIT_INTERVAL: '0ms' });
  const findings = await off.json<{ check: string; state: string }[]>(['doctor']);
  expect(findings.find(({ check }) => check === 'audit')).toMatchObject({ state: 'warning' });
  off.remove();
});

test('when the audit has not been through for long, nobody says any more that nothing is missing', async () => {
  await start('  - { name: all, entity: Order, actions: [{ type: log }] }');
  await until(async () => (await gauge()) === 0);
  await database.query('alter table observers.late_decision rename to late_decision_away');
  await database.query("update observers.audit set complete_at = now() - interval '1 h'");
  await until(async () => (await gauge('observer_audit_age_seconds'))! > 3_000);
  expect(await gauge()).toBeNull();
  await database.query('alter table observers.late_decision_away rename to late_decision');
  await until(async () => (await gauge()) === 0);
});
