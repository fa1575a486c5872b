import { tmpdir } from 'node:os';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, MAIN, run, type Result } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, startStream, type TestStream } from '../support/stream';
import { containing } from '../support/texts';
import { eventually, until } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let stream: TestStream;
let broken: boolean;

const cli = (...args: string[]): Promise<Result> =>
  run(process.execPath, [MAIN, 'lanes', ...args], { cwd: tmpdir(), env: { ...BARE, DATABASE_URL: database.url } });
const bodies = (): string[] => receiver.requests.map(({ body }) => /"key":"(\d+)"/.exec(body)?.[1] + ':' + /"step":(\d+)/.exec(body)?.[1]);

/** Entities 1 and 2 are parked at their first step, with two more behind it. */
beforeEach(async () => {
  database = await createTestDatabase();
  broken = true;
  receiver = await startReceiver(
    (request, response) => void response.writeHead(broken && /"key":"[12]"/.test(request.body) ? 422 : 204).end(),
  );
  await database.query('create table public.orders (id bigint primary key, step int)');
  await database.capture('public.orders');
  stream = await startStream(database.url, [
    observerOf('ship', endpointOf(`${receiver.url}/hook`), { ordering: 'strict', retry: FAST_RETRY }),
  ]);
  await database.query('insert into orders select n, 1 from generate_series(1, 3) n');
  for (let i = 0; i < 2; i++) await database.query('update orders set step = step + 1');
  await until(
    async () =>
      JSON.stringify(
        await database.query<{ state: string; n: string }>(
          'select state, count(*) as n from observers.pending_delivery group by state order by state',
        ),
      ) === '[{"state":"parked","n":"2"},{"state":"waiting","n":"4"}]',
  );
  // One of each entity that is parked, and all of the third.
  await receiver.waitFor(5);
  receiver.requests.length = 0;
});

afterEach(async () => {
  await stream.stop();
  await receiver.close();
  await database.drop();
});

test('lanes list says which lane waits for what, and status counts them', async () => {
  const { out } = await cli('list', '--entity-key', '1');
  expect(out).toMatch(/ship\/hook +Order 1 +parked +[\d.]+ s +2 +1 +http_status 422: the receiver answered 422/);
  expect(out).not.toContain('Order 2');
  expect((await cli('list', '--limit', '1')).out).toContain('1 of 2, parked ones first; the next ones: --offset 1');
  const lanes = JSON.parse((await cli('list', '--format', 'json')).out) as unknown[];
  expect(lanes).toHaveLength(2);
  expect(lanes[0]).toMatchObject({
    observer: 'ship',
    entityKey: '1',
    state: 'parked',
    waiting: 2,
    attempts: 1,
    error: 'http_status',
    status: 422,
  });
  const { out: status } = await run(process.execPath, [MAIN, 'status'], { cwd: tmpdir(), env: { ...BARE, DATABASE_URL: database.url } });
  expect(status).toMatch(/parked +2; 4 wait behind the heads of their lanes/);
});

test('resume tries the head, and then the rest in order', async () => {
  expect(await cli('resume', '--entity-key', '1', '--yes')).toMatchObject({ code: 0, out: containing('1 lane resumed') });
  // Still broken: it parks again.
  await receiver.waitFor(1);
  await eventually(
    () => cli('list', '--entity-key', '1', '--format', 'json'),
    ({ out }) => out.includes('"attempts": 2') && out.includes('"parked"'),
  );
  broken = false;
  await cli('resume', '--all', '--yes');
  await receiver.waitFor(7);
  const ones = bodies().filter((said) => said.startsWith('1'));
  expect(ones.slice(1)).toEqual(['1:1', '1:2', '1:3']);
  expect(bodies().filter((said) => said.startsWith('2'))).toEqual(['2:1', '2:2', '2:3']);
  await until(async () => (await cli('list')).out.includes('no lane is held up'));
});

test('skip gives the head up, on record, and lets the next one go', async () => {
  broken = false;
  expect((await cli('skip', '--observer', 'ship', '--entity-type', 'Order', '--entity-key', '1', '--yes')).out).toContain(
    '1 delivery skipped, 1 lane goes on; what was skipped comes back by: dlq list --discarded, dlq restore ID',
  );
  await receiver.waitFor(2);
  expect(bodies()).toEqual(['1:2', '1:3']);
  expect(await database.query('select resolution, error, status from observers.dead_letter')).toEqual([
    { resolution: 'skipped', error: 'http_status', status: 422 },
  ]);
});

test('dead-letter moves the head, or the whole lane, to the queue where a person looks', async () => {
  broken = false;
  await cli('dead-letter', '--entity-key', '1', '--yes');
  await receiver.waitFor(2);
  expect(bodies()).toEqual(['1:2', '1:3']);
  expect((await cli('dead-letter', '--entity-key', '2', '--whole-lane', '--yes')).out).toContain('3 deliveries moved to the dead letters');
  expect(await database.query('select entity_key, error, resolved_at from observers.dead_letter order by change_number')).toEqual([
    { entity_key: '1', error: 'http_status', resolved_at: null },
    { entity_key: '2', error: 'http_status', resolved_at: null },
    { entity_key: '2', error: 'lane', resolved_at: null },
    { entity_key: '2', error: 'lane', resolved_at: null },
  ]);
  expect(await database.query('select from observers.pending_delivery')).toEqual([]);
});

test('nothing is done to lanes that nobody named, or without a yes', async () => {
  expect(await cli('skip')).toMatchObject({ code: 1, err: containing('which lanes?') });
  expect(await cli('skip', '--all')).toMatchObject({ code: 1, err: containing('Add --yes') });
  expect(await cli('resume', '--entity-key', '99', '--yes')).toMatchObject({ code: 5, err: containing('no such lane') });
  expect(receiver.requests).toEqual([]);
});

test('resuming says what is tried, what waits behind it, and what a paused observer holds back', async () => {
  expect(await resumed()).toEqual({ resumed: 2, paused: 0, behind: 4, left: 0 });
  await until(async () => (await lanesParked()) === 2);
  await database.query("insert into observers.paused_observer (stream, observer, paused_by) values ('main', 'ship', 'ann')");
  expect(await resumed('--entity-key', '1')).toEqual({ resumed: 1, paused: 1, behind: 2, left: 0 });
  // What a person holds back is not parked, and is left as it is.
  await until(async () => (await lanesParked()) === 1);
  await database.query("update observers.pending_delivery set state = 'paused' where state = 'retrying'");
  const { out } = await cli('resume', '--all', '--yes');
  expect(out).toContain('1 lane resumed whose observer is paused: its head is tried when that ends (observers resume)');
  expect(out).toContain('2 deliveries wait behind it, and go on when what is before has succeeded');
  expect(out).toContain('1 lane was left as it is: what is at the head is under way, queued or paused');
});

const resumed = async (...filter: string[]): Promise<unknown> => {
  const named = filter.length === 0 ? ['--all'] : filter;
  return JSON.parse((await cli('resume', ...named, '--yes', '--format', 'json')).out) as unknown;
};
const lanesParked = async (): Promise<number> =>
  (await database.query("select from observers.pending_delivery where state = 'parked'")).length;
