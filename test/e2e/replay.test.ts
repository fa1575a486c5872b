import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { fingerprint, programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { until, untilLeading, untilRead, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const fileOf = (when = 'total > 100'): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers:
  - { name: big, entity: Order, on: insert, when: "${when}", retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }, { type: log }] }
  - { name: all, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }
`;

/** 10 orders, with totals from 50 to 500, delivered. */
beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  program = programOn(database, fileOf());
  await database.query('create table public.orders (id int primary key, total int)');
  await start();
  await database.query('insert into orders select i, i * 50 from generate_series(1, 10) i');
  await receiver.waitFor(18);
  await finished();
  receiver.requests.length = 0;
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (file = fileOf()): Promise<void> => {
  const started = await startTestService(database.url, { file });
  service = started;
  await untilLeading(started.streams.main);
};

/** The checkpoint has passed all changes. */
const finished = () => untilRead(database);

interface Preview {
  readonly events: number;
  readonly count: number;
  readonly token: string;
  readonly sample: readonly { changeNumber: number; event: string; entity: string }[];
}

const preview = (...range: string[]): Promise<Preview> => program.json(['replay', '--dry-run', ...range]);
const replay = (token: string, ...more: string[]): Promise<Record<string, number | boolean>> =>
  program.json(['replay', '--token', token, '--yes', ...more]);
const keys = (): string[] => receiver.requests.map(({ body }) => (JSON.parse(body) as { entity: { key: string } }).entity.key).sort();

test('a dry run writes nothing, evaluates the conditions, and its token sends exactly that, with the ids of the first time', async () => {
  const first = await database.query<{ id: string }>("select id from core.tb_entity_change_log where (object_data ->> 'total')::int > 100");
  await service!.stop();
  service = null;
  const before = await fingerprint(database);
  const shown = await preview('--observer', 'big', '--action', 'webhook');
  expect(await fingerprint(database)).toEqual(before);
  expect([shown.events, shown.count, shown.sample.length]).toEqual([10, 8, 8]);
  await start();
  // It comes later, and is delivered by itself; the token does not know of it.
  await database.query('insert into orders values (11, 1000)');
  await receiver.waitFor(2);
  await finished();
  receiver.requests.length = 0;
  expect(await replay(shown.token)).toMatchObject({ asked: 8, delivered: 8, failed: 0 });
  expect(keys()).toEqual(['10', '3', '4', '5', '6', '7', '8', '9']);
  const { deliveryId } = await import('../../src/event/delivery');
  expect(receiver.requests.map(({ headers }) => headers['webhook-id']).sort()).toEqual(
    first.map(({ id }) => deliveryId(id, 'big', 'webhook')).sort(),
  );
  expect(await program.run(['replay', '--token', shown.token, '--yes'])).toMatchObject({
    code: 1,
    err: containing('this token has been used'),
  });
  expect(receiver.requests).toHaveLength(8);
});

test('entity, event, times and change numbers narrow the range down', async () => {
  const changes = await database.query<{ number: string; id: string }>(
    'select pk_entity_change_log as number, id from core.tb_entity_change_log order by 1',
  );
  const cases: [string[], number][] = [
    [['--entity-key', '7'], 1],
    [['--entity-type', 'Item'], 0],
    [['--event', changes[4]!.id], 1],
    [['--event', changes[4]!.number], 1],
    [['--event', `${changes[2]!.number},${changes[4]!.id}`], 2],
    [['--event', '999999'], 0],
    [['--from-change', changes[2]!.number, '--to-change', changes[5]!.number], 4],
    [['--before', '1h'], 0],
    [['--after', '1h', '--observer', 'all,big', '--action', 'webhook'], 18],
  ];
  for (const [range, count] of cases) expect([range, (await preview('--observer', 'all', ...range)).count]).toEqual([range, count]);
});

test('a dry run says what has been delivered, and when; --only-missing sends the rest, and not what was delivered since', async () => {
  const whole = await program.json<Preview & { delivered: { count: number; first: string } }>(['replay', '--dry-run', '--observer', 'all']);
  expect(whole.delivered).toMatchObject({ count: 10, first: expect.stringMatching(/^20/) as string });
  expect((await program.run(['replay', '--dry-run', '--observer', 'all'])).out).toMatch(
    /^10 of them delivered already, (at|from) 20.*: --only-missing/m,
  );
  // Three of them were lost.
  await database.query(
    "delete from observers.attempt where observer = 'all' and change_number in (select pk_entity_change_log from core.tb_entity_change_log where object_key in ('2', '3', '5'))",
  );
  const missing = await preview('--observer', 'all', '--only-missing');
  expect(missing.count).toBe(3);
  expect(await replay((await preview('--observer', 'all', '--only-missing', '--entity-key', '3')).token)).toMatchObject({ delivered: 1 });
  await receiver.waitFor(1);
  await untilRows(database, 'select from observers.pending_delivery', 0);
  receiver.requests.length = 0;
  expect(await replay(missing.token)).toMatchObject({ asked: 2, delivered: 2 });
  expect(keys()).toEqual(['2', '5']);
  expect(await program.json(['replay', '--dry-run', '--observer', 'all', '--only-missing'])).toMatchObject({ count: 0, token: null });
});

test('of changes that are older than the tries that are kept nobody knows whether they are missing', async () => {
  await database.query("update core.tb_entity_change_log set created_at = now() - interval '40 days' where object_key = '4'");
  await database.query(
    "delete from observers.attempt where observer = 'all' and change_number in (select pk_entity_change_log from core.tb_entity_change_log where object_key = '4')",
  );
  expect(await program.json(['replay', '--dry-run', '--observer', 'all'])).toMatchObject({
    count: 10,
    unknown: 1,
    delivered: { count: 9 },
  });
  expect(await program.json(['replay', '--dry-run', '--observer', 'all', '--only-missing'])).toMatchObject({ count: 0, unknown: 0 });
});

test('a replay that was begun by mistake is taken back, as far as nobody has tried it', async () => {
  await service!.stop();
  service = null;
  const { token } = await preview('--observer', 'all');
  const { out } = await program.run(['replay', '--token', token, '--yes']);
  expect(out).toContain(`To take back what waits: fraiseql-observers dlq cancel --set ${token}`);
  expect(await program.json(['dlq', 'cancel', '--set', token])).toMatchObject({ takenBack: 10, running: 0, tried: 0 });
  expect(await database.query('select from observers.pending_delivery')).toEqual([]);
});

test('what cannot be replayed is refused with what to do', async () => {
  const cases: [string[], string][] = [
    [['--observer', 'all'], '--dry-run'],
    [['--dry-run'], 'no observer is named'],
    [['--dry-run', '--observer', 'al'], 'there is no observer "al"'],
    [['--dry-run', '--observer', 'all', '--action', 'log'], 'has an action "log"'],
    [['--dry-run', '--observer', 'all', '--event', 'x'], 'neither the id of an event nor a change number'],
  ];
  for (const [args, message] of cases) expect([args, (await program.run(['replay', ...args])).err]).toEqual([args, containing(message)]);
  const { token } = await preview('--observer', 'big');
  program.write(fileOf('total > 200'));
  expect(await program.run(['replay', '--token', token, '--yes'])).toMatchObject({
    code: 2,
    err: containing('has changed since the dry run'),
  });
  const other = await preview('--observer', 'big');
  expect(await program.run(['replay', '--token', other.token, '--yes'])).toMatchObject({
    code: 2,
    err: containing('no service has run with this observers file'),
  });
  expect(receiver.requests).toEqual([]);
});

test('Ctrl-C stops a replay between changes, and the same token goes on where it was: each delivery once', async () => {
  const { token } = await preview('--observer', 'all');
  const replaying = program.launch(['replay', '--token', token, '--yes', '--rate', '5/s']);
  await receiver.waitFor(3);
  expect((await replaying.end('SIGINT')).code).toBe(130);
  const [, remaining] = /stopped: (\d+) of the set remain/.exec(replaying.output()) ?? [];
  expect(Number(remaining)).toBeGreaterThan(0);
  expect(await replay(token)).toMatchObject({ asked: Number(remaining), total: Number(remaining) });
  expect(keys()).toEqual(['1', '10', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test('two people who use one token at once send each delivery once', async () => {
  const { token } = await preview('--observer', 'all');
  await Promise.all([1, 2, 3].map(() => program.run(['replay', '--token', token, '--yes', '--rate', '20/s'])));
  await replay(token).catch(() => undefined);
  await until(() => receiver.requests.length >= 10);
  expect(keys()).toEqual(['1', '10', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test('a replay that delivers a dead letter takes it out of the queue; one that fails puts it there', async () => {
  receiver.answer = status(400);
  const { token } = await preview('--observer', 'all', '--entity-key', '4');
  expect(await program.run(['replay', '--token', token, '--yes'])).toMatchObject({ code: 1, out: containing('failed 1') });
  expect(await program.json(['dlq', 'list'])).toMatchObject([{ entityKey: '4', error: 'http_status' }]);
  receiver.answer = status(204);
  const again = await preview('--observer', 'all', '--entity-key', '4');
  expect(await replay(again.token)).toMatchObject({ delivered: 1 });
  expect(await program.json(['dlq', 'list'])).toEqual([]);
});

test('with the service stopped a replay is queued, says so, and is sent when one leads', async () => {
  await service!.stop();
  service = null;
  const { token } = await preview('--observer', 'all', '--entity-key', '1');
  expect((await program.run(['replay', '--token', token, '--yes'])).out).toContain('queued 1: they are tried as soon as a service leads');
  await start();
  await receiver.waitFor(1);
});
