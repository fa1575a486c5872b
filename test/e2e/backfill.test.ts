import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { fingerprint, programOn, type Program } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { containing } from '../support/texts';
import { eventually, untilLeading, untilRead } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: TestService | null = null;

const fileOf = (...observers: string[]): string => `
version: 1
capture: [{ table: public.orders, entity: Order, columns: { mask: { email: hash } } }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers:
${observers.map((one) => `  - { ${one}, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }`).join('\n')}
`;
const CRM = 'name: crm, entity: Order, on: update';
const BIG = 'name: big, entity: Order, when: "total > 50"';
const ALL = 'name: all, entity: "*"';
const ITEMS = 'name: items, entity: Item';

/** So many orders that nobody has recorded, and a service that leads. */
async function shop(orders: number): Promise<void> {
  await database.query('create table public.orders (id int primary key, total int, email text)');
  await database.query('insert into orders select i, i, i::text from generate_series(1, $1::int) i', [orders]);
  const started = await startTestService(database.url, { file: fileOf(CRM, BIG, ALL, ITEMS) });
  service = started;
  await untilLeading(started.streams.main);
}

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  program = programOn(database, fileOf(CRM, BIG, ALL, ITEMS));
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const stop = async (): Promise<void> => {
  await (service as Service | null)?.stop();
  service = null;
};

const finished = () => untilRead(database);
const rows = () =>
  database.query<{ key: string }>("select object_key as key from core.tb_entity_change_log where modification_type = 'BACKFILL'");

test('a dry run changes nothing, and shows the count, the first rows and what would be sent', async () => {
  await shop(60);
  await stop();
  const before = await fingerprint(database);
  const shown = await program.json<
    Record<string, unknown> & {
      sample: { key: string; observers: { name: string; verdict: string; deliveries: { content: { body: string } }[] }[] }[];
    }
  >(['backfill', 'public.orders', '--observer', 'big,crm', '--where', 'id > 49', '--dry-run']);
  expect(shown).toMatchObject({
    table: 'public.orders',
    entity: 'Order',
    observers: ['big', 'crm'],
    where: 'id > 49',
    count: 11,
    unplaced: 0,
    last: null,
  });
  expect(shown.sample.map(({ key, observers }) => [key, observers.map(({ name, verdict }) => `${name} ${verdict}`)])).toEqual([
    ['50', ['crm matched', 'big condition not met']],
    ...['51', '52', '53', '54'].map((key) => [key, ['crm matched', 'big matched']]),
  ]);
  expect(shown.sample[0]?.observers[0]?.deliveries[0]?.content.body).toContain('"type":"order.backfilled"');
  const { out } = await program.run(['backfill', 'public.orders', '--observer', 'big', '--where', 'id > 49', '--dry-run']);
  expect(out).toContain('11 rows of public.orders (Order) where id > 49 would be events for big; nothing was changed');
  expect(out).toContain('Order 51: ✓ big → webhook');
  expect(out).toContain('… and 6 more');
  expect(await fingerprint(database)).toEqual(before);
});

test('it sends to who is named, asks first, is in status and list, and the audit accounts for every row', async () => {
  await shop(60);
  const [args, yes] = [['backfill', 'public.orders', '--observer', 'crm', '--observer', 'big'], ['--yes']];
  expect(await program.run(args)).toMatchObject({ code: 1, err: containing('this asks before it acts') });
  const done = await program.json<{ id: string }>([...args, ...yes, '--rate', '5000/s']);
  expect(done).toMatchObject({ state: 'finished', done: 60, failed: 0, led: true, table: 'public.orders', observers: ['big', 'crm'] });
  await receiver.waitFor(70);
  await finished();
  expect(receiver.requests).toHaveLength(70);
  expect(receiver.requests.map(({ body }) => body).join()).not.toMatch(/"email":"\d+"/);
  expect(await program.json(['audit', 'verify'])).toMatchObject({ changes: 60, delivered: 70, unaccounted: 0, notMatched: 170 });
  expect(await program.json(['backfill', 'list'])).toMatchObject([{ id: done.id, state: 'finished', done: 60, expected: 60 }]);
  expect((await program.run(['status'])).out).not.toContain('backfill');
  expect(await program.run([...args, ...yes])).toMatchObject({ code: 1, err: containing('add --again') });
  await database.query(
    "delete from observers.attempt where observer = 'big' and change_number = (select max(change_number) from observers.attempt)",
  );
  expect(await program.json(['audit', 'verify'])).toMatchObject({ unaccounted: 1, list: [{ observer: 'big' }] });
  const history = await program.json<
    { event: { kind: string; backfill: unknown }; observers: { name: string; verdict: string; why: string }[]; notes: string[] }[]
  >(['debug-event', '--history', '1', '--kind', 'backfill']);
  expect(history[0]?.event).toMatchObject({ kind: 'backfill', backfill: { id: done.id, observers: ['big', 'crm'] } });
  expect(history[0]?.observers.map(({ name, verdict, why }) => [name, verdict, why])).toEqual([
    ['crm', 'matched', 'the backfill names it'],
    ['big', 'matched', 'the backfill names it; the condition is met'],
    ['all', 'not named', 'the backfill is for big, crm'],
    ['items', 'other entity', 'it is for Item, and this is Order'],
  ]);
  expect(await program.json<{ events: number; count: number }>(['replay', '--observer', 'all,crm', '--dry-run'])).toMatchObject({
    events: 60,
    count: 60,
  });
});

test('killed with -9 again and again it goes on where it was: nothing twice, nothing left out', async () => {
  await shop(3_000);
  await stop();
  const args = ['backfill', 'public.orders', '--observer', 'crm', '--yes'];
  const slowly = [...args, '--rate', '200/s'];
  const count = async (): Promise<number> => (await rows()).length;
  for (let killed = 0; killed < 3; killed++) {
    const before = await count();
    const running = program.launch(slowly);
    await eventually(count, (n) => n > before + 20);
    if (killed === 0) expect((await program.run(['status'])).out).toMatch(/backfill +public\.orders for crm: \d+ of 3000 rows, running/);
    await running.end('SIGKILL');
  }
  const before = await count();
  const polite = program.launch(slowly);
  await eventually(count, (n) => n > before + 20);
  expect((await polite.end('SIGINT')).code).toBe(130);
  expect(polite.output()).toContain('the same command goes on where it was');
  expect((await program.run(['status'])).out).toMatch(/backfill +public\.orders for crm: \d+ of 3000 rows, stopped/);
  expect(await program.json(args)).toMatchObject({ state: 'finished', done: 3_000 });
  const keys = (await rows()).map(({ key }) => key);
  expect([keys.length, new Set(keys).size]).toEqual([3_000, 3_000]);
});

test('an observer that a reload removes stops the backfill; what is in the log then is sent to nobody, and told', async () => {
  await shop(3_000);
  const args = ['backfill', 'public.orders', '--observer', 'crm', '--yes', '--rate', '200/s'];
  const running = program.launch(args);
  await eventually(rows, (all) => all.length >= 100);
  service!.rewrite(fileOf(BIG, ALL));
  await service!.reloader.reload('test');
  expect((await running.ended).code).toBe(5);
  expect(running.output()).toMatch(/there is no observer "crm" in version \d+, by which the service decides/);
  await database.query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, extra_metadata)
    values ('Order', '1', 'BACKFILL', '{"id": 1}', '{"backfill": {"id": "x", "observers": ["crm"]}}')`);
  await finished();
  const [last] = await program.json<{ notes: string[] }[]>(['debug-event', '--history', '1']);
  expect(last?.notes.join()).toMatch(/the backfill names crm, and version \d+ has no such observer: nothing is sent for it/);
  const [{ id } = { id: '' }] = await program.json<{ id: string }[]>(['backfill', 'list']);
  expect(await program.json(['backfill', 'cancel', id, '--yes'])).toMatchObject({ id, state: 'cancelled', changed: true });
  expect(await program.run(['backfill', 'cancel', id, '--yes'])).toMatchObject({ code: 1, err: containing('is cancelled already') });
});

test('what is asked for wrongly is refused with what to do', async () => {
  await shop(1);
  const cases: [string[], string][] = [
    [[], 'no table named'],
    [['public.orders'], 'no observer is named'],
    [['public.orders', '--observer', 'nobody', '--dry-run'], 'there is no observer "nobody" in the file'],
    [['public.orders', '--observer', 'items', '--dry-run'], 'the observer items is for Item in the file, and rows of this table are Order'],
    [['public.orders', '--observer', 'crm', '--where', ' '], '--where is empty'],
    [['public.orders', '--observer', 'crm', '--rate', 'fast'], 'is not a rate'],
    [['orders', '--observer', 'crm', '--dry-run'], 'is not the name of a table'],
    [['public.items', '--observer', 'crm', '--dry-run'], 'there is no table public.items'],
    [['cancel', 'x'], 'is not the id of a backfill'],
    [['cancel', '00000000-0000-4000-8000-000000000000', '--yes'], 'there is no backfill'],
  ];
  for (const [args, message] of cases) expect([args, (await program.run(['backfill', ...args])).err]).toEqual([args, containing(message)]);
  program.write(fileOf('name: crm, entity: Order, on: backfill'));
  expect((await program.run(['validate-config'])).out + (await program.run(['validate-config'])).err).toContain('on');
  expect(await rows()).toEqual([]);
});
