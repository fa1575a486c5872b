import { Client } from 'pg';
import type { Audit } from '../../src/audit/verify';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { fingerprint, programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;
let file: string;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }] }]
`;
  await database.query('create table orders (id int primary key, total numeric)');
  await database.capture('public.orders');
  program = programOn(database, file);
});

afterEach(async () => {
  await stop();
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (): Promise<void> => {
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
const stop = async (): Promise<void> => {
  await service?.stop();
  service = null;
};
const insert = (from: number, to: number): Promise<unknown> =>
  database.query('insert into orders select i, i * 10 from generate_series($1::int, $2::int) i', [from, to]);
const changeOf = async (order: number): Promise<{ number: number; id: string }> =>
  (
    await database.query<{ number: number; id: string }>(
      'select pk_entity_change_log::float8 as number, id from core.tb_entity_change_log where object_key = $1 order by 1 limit 1',
      [String(order)],
    )
  )[0]!;
/** Everything that the stream can see is behind its checkpoint. */
const passed = async (): Promise<void> => {
  const behind =
    'select from core.tb_entity_change_log l where not exists (select from observers.checkpoint c where pg_visible_in_snapshot(l.change_xid, c.previous))';
  await untilRows(database, behind, 0);
};
const sent = (): string[] =>
  receiver.requests.map(({ body }) => (JSON.parse(body.toString()) as { entity: { key: string } }).entity.key).sort((a, b) => +a - +b);
const reset = (...more: string[]): Promise<Record<string, unknown>> => program.json(['checkpoint', 'reset', ...more]);
const forgetAttemptOf = async (order: number): Promise<unknown> =>
  database.query('delete from observers.attempt where change_number = $1', [(await changeOf(order)).number]);

/** Orders 1 to `count` are delivered, and the service is stopped. */
const delivered = async (count: number): Promise<void> => {
  await start();
  await insert(1, count);
  await until(() => receiver.requests.length === count);
  await passed();
  await stop();
  receiver.requests.length = 0;
};

test('after a reset to an event the stream goes on exactly there, and what is on record is not sent again', async () => {
  await delivered(10);
  await forgetAttemptOf(5);
  await forgetAttemptOf(6);
  await forgetAttemptOf(8);
  const { id } = await changeOf(6);
  expect(await reset('--to', id)).toMatchObject({ performed: false, skipped: 0, readAgain: 5, onRecord: 3, forgotten: 0 });
  expect(await reset('--to', id, '--reason', 'the endpoint lost them', '--yes')).toMatchObject({ performed: true, readAgain: 5 });
  await start();
  await insert(11, 12);
  await until(() => sent().includes('12'));
  await passed();
  expect(sent()).toEqual(['6', '8', '11', '12']);
  const { out } = await program.run(['checkpoint', 'show']);
  expect(out).toContain('the endpoint lost them');
  expect(out).toMatch(/state +sound: of this server/);
});

test('what was not committed when the checkpoint was moved comes, whatever its number', async () => {
  await delivered(1);
  const late = new Client({ connectionString: database.url });
  await late.connect();
  await late.query('begin; insert into orders values (2, 20)');
  await insert(3, 4);
  const { id } = await changeOf(4);
  expect(await reset('--to', id, '--yes')).toMatchObject({ skipped: 1, readAgain: 0 });
  await late.query('commit');
  await late.end();
  await start();
  await until(() => sent().length === 2);
  await passed();
  expect(sent()).toEqual(['2', '4']);
});

test('changes that a reset skipped are reported as such, until one goes back before them', async () => {
  await delivered(3);
  await insert(4, 8);
  expect(await reset('--to', 'now', '--yes')).toMatchObject({ performed: true, skipped: 5, readAgain: 0 });
  await start();
  await insert(9, 9);
  await until(() => sent().length === 1);
  await passed();
  expect(sent()).toEqual(['9']);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ changes: 9, passedOver: 5, delivered: 4, unaccounted: 0 });
  const explained = await program.run(['debug-event', '--event-id', (await changeOf(5)).id]);
  expect(explained.out).toMatch(/state +passed over: no observer was asked: .* moved the checkpoint past it at/);
  expect(explained.out).toMatch(/→ webhook: passed over/);

  await stop();
  expect(await reset('--to', 'beginning', '--yes')).toMatchObject({ readAgain: 9, onRecord: 4 });
  await start();
  await until(() => sent().length === 6);
  await passed();
  expect(sent()).toEqual(['4', '5', '6', '7', '8', '9']);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ passedOver: 0, delivered: 9, unaccounted: 0 });
});

test('it refuses while a service leads, and without --yes it changes nothing', async () => {
  await start();
  await insert(1, 2);
  await passed();
  expect(await program.run(['checkpoint', 'reset', '--to', 'now', '--yes'])).toMatchObject({
    code: 1,
    err: matching(/leads stream "main"[\s\S]*Stop the service first/),
  });
  await stop();
  const before = await fingerprint(database);
  const { code, out } = await program.run(['checkpoint', 'reset', '--to', 'beginning']);
  expect([code, out]).toEqual([0, containing('Nothing was changed')]);
  expect(await fingerprint(database)).toEqual(before);
});

test.each([
  ['a word that is no place', ['--to', 'yesterday'], 1, /now, beginning or the id of an event/],
  ['an event that is not there', ['--to', '4b7a3c1e-0000-4000-8000-000000000001'], 5, /no event 4b7a3c1e/],
  ['no place', [], 1, /--to <place>/],
])('%s is refused', async (_what, args, code, words) => {
  const result = await program.run(['checkpoint', 'reset', ...args]);
  expect([result.code, result.err]).toEqual([code, matching(words)]);
});

test('after a restore into another cluster the service refuses, says which command, and that repairs it', async () => {
  await delivered(5);
  await forgetAttemptOf(3);
  await insert(6, 6);
  // As a dump of a server that had come much further has it.
  await database.query("update observers.checkpoint set system_identifier = '1', previous = '5000000000:5000000000:'");
  await database.query(
    'update core.tb_entity_change_log set change_xid = (4000000000 + pk_entity_change_log)::text::xid8 where object_key <> $1',
    ['6'],
  );
  await database.query("update observers.config_period set previous = '3999999999:3999999999:'");
  const refused = await program.run(['start']);
  expect([refused.code, refused.err]).toEqual([2, containing('belongs to another PostgreSQL cluster')]);
  expect(refused.err).toContain('fraiseql-observers checkpoint reset --to now|beginning|EVENT_ID');
  expect(await program.json(['checkpoint', 'show'])).toMatchObject({ checkpoint: { state: 'foreign' } });

  expect(await reset('--to', 'beginning')).toMatchObject({ performed: false, state: 'foreign', readAgain: 6, onRecord: 4 });
  expect(await reset('--to', 'beginning', '--yes')).toMatchObject({ performed: true, readAgain: 6, onRecord: 4 });
  await start();
  await until(() => sent().length === 2);
  await passed();
  await insert(7, 7);
  await until(() => sent().length === 3);
  await passed();
  expect(sent()).toEqual(['3', '6', '7']);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ changes: 7, delivered: 7, passedOver: 0, unaccounted: 0 });
});

test('after a restore the stream can also go on behind everything: what nothing is on record of is said to be passed over', async () => {
  await delivered(3);
  await forgetAttemptOf(2);
  await database.query("update observers.checkpoint set previous = '5000000000:5000000000:'");
  await database.query('update core.tb_entity_change_log set change_xid = (4000000000 + pk_entity_change_log)::text::xid8');
  expect((await program.run(['start'])).err).toContain('lies in the future of this server');
  expect(await reset('--to', 'now')).toMatchObject({ state: 'ahead', skipped: 1, readAgain: 0 });
  expect(await reset('--to', 'now', '--yes')).toMatchObject({ performed: true, skipped: 1, readAgain: 0 });
  await start();
  await insert(4, 4);
  await until(() => sent().length === 1);
  await passed();
  expect(sent()).toEqual(['4']);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ changes: 4, delivered: 3, passedOver: 1, unaccounted: 0 });
});
