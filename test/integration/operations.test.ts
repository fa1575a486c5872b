import type { RecordedOperation } from '../../src/status/operations.service';
import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { deadLetters, programOn } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { until, untilLeading, untilRows } from '../support/until';

const TOKEN = 'CANARY-write-0123456789';
let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let api: Api;

const FILE = (url: string): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: all, entity: Order, when: "total > 10", actions: [{ type: webhook, endpoint: hook }] }
  - { name: lane, entity: Order, ordering: strict, retry: { max_attempts: 1 }, when: "total > 1000", actions: [{ type: webhook, endpoint: bad }] }
endpoints:
  hook: { url: "${url}/hook", allow_addresses: [loopback], circuit_breaker: { minimum: 2, open_for: 1h } }
  bad: { url: "${url}/bad", allow_addresses: [loopback], circuit_breaker: off }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table public.orders (id int primary key, total numeric)');
  service = await startTestService(database.url, { file: FILE(receiver.url), env: { OBSERVERS_API_TOKENS: `write:${TOKEN}` } });
  await untilLeading(service.streams.main);
  await database.query('delete from observers.operation');
  api = apiOf(service, { authorization: `Bearer ${TOKEN}` });
});
afterEach(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

const recorded = async (query = ''): Promise<RecordedOperation[]> =>
  (await api<{ items: RecordedOperation[] }>(`GET /operations${query}`)).body.items;
const BY_TOKEN = { who: expect.stringMatching(/^api token [\da-f]{8}$/) as unknown, via: 'fraiseql-observers api' };

test('what the API changes is an operation each, with what it was done to, before and after', async () => {
  const [one = '', two = ''] = await deadLetters(database, 2);
  await api('POST /observers/all/pause', { json: { reason: 'it moves' } });
  await api('POST /observers/all/resume');
  await api(`DELETE /dlq/${one}`, { json: { reason: 'too old' } });
  await api('POST /reload');
  await api(`POST /dlq/${two}/retry`, { json: { wait: 0 } });
  expect((await recorded()).reverse()).toMatchObject([
    {
      ...BY_TOKEN,
      what: 'observer: paused',
      set: { stream: 'main', observer: 'all' },
      before: { paused: false },
      after: { paused: true, reason: 'it moves' },
    },
    {
      ...BY_TOKEN,
      what: 'observer: resumed',
      set: { observer: 'all' },
      before: { paused: true, reason: 'it moves' },
      after: { paused: false },
    },
    {
      ...BY_TOKEN,
      what: 'dead letter: discarded',
      set: { count: 1, ids: [one], note: 'too old' },
      before: { state: 'dead' },
      after: { state: 'discarded' },
    },
    { who: BY_TOKEN.who, what: 'configuration: reloaded', before: { version: 1 }, after: { version: 1 } },
    {
      ...BY_TOKEN,
      what: 'dead letter: retry asked for',
      set: { count: 1, ids: [two] },
      before: { state: 'dead' },
      after: { state: 'queued' },
    },
  ]);
});

test('what changes nothing is no operation', async () => {
  await api('POST /observers/all/resume');
  await api('POST /observers/nobody/pause');
  await api('POST /circuit-breakers/hook/reset');
  await api('DELETE /dlq/4b7a3c1e-0000-4000-8000-000000000001');
  await api('POST /dlq/retry-all', { json: { dry_run: true } });
  expect(await recorded()).toEqual([]);
});

test('many items at once are one operation, with the names of the first of them; pages and filters find it', async () => {
  await deadLetters(database, 150);
  const { token } = (await api('POST /dlq/retry-all', { json: { dry_run: true } })).body;
  await api('POST /dlq/retry-all', { json: { token } });
  await api('POST /observers/all/pause');
  const retries = await recorded('?what=dead%20letter');
  expect(retries.reduce((sum, { set }) => sum + Number(set['count']), 0)).toBe(150);
  expect(Math.max(...retries.map(({ set }) => (set['ids'] as string[]).length))).toBe(100);
  expect(JSON.stringify(retries)).not.toContain(token);
  const first = (await api<{ items: RecordedOperation[]; next: string }>('GET /operations?limit=1')).body;
  const second = (await api<{ items: RecordedOperation[] }>(`GET /operations?limit=1&cursor=${first.next}`)).body;
  expect([first.items[0]?.what, second.items[0]?.what]).toEqual(['observer: paused', 'dead letter: retry asked for']);
  expect(await recorded('?who=nobody')).toEqual([]);
  expect(await recorded('?until=2020-01-01T00:00:00Z')).toEqual([]);
});

test('a breaker that was open and is closed by a person', async () => {
  receiver.answer = status(500);
  await database.query('insert into public.orders select i, 100 from generate_series(1, 3) i');
  await until(async () => JSON.stringify((await api('GET /circuit-breakers')).body).includes('"open"'));
  expect((await api('POST /circuit-breakers/hook/reset', { json: { reason: 'mended' } })).body).toMatchObject({ changed: true });
  expect(await recorded('?what=breaker')).toMatchObject([
    {
      ...BY_TOKEN,
      what: 'breaker: reset',
      set: { endpoint: 'hook', reason: 'mended' },
      before: { state: 'open' },
      after: { state: 'closed' },
    },
  ]);
});

test('what the service does by itself is none', async () => {
  receiver.answer = status(400);
  await database.query('insert into public.orders values (1, 100)');
  await untilRows(database, "select from observers.dead_letter_event where what = 'died'", 1);
  expect(await recorded()).toEqual([]);
  // Delivered since, and replayed: it dies anew.
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'delivered'");
  await database.query(
    `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at)
     select change_number, observer, action, stream, endpoint, 'a lane', 'retrying', 1, now() from observers.dead_letter`,
  );
  await untilRows(database, "select from observers.dead_letter_event where what = 'died again'", 1);
  expect(await recorded()).toEqual([]);
});

test('what is taken back, or comes back, is told as it was and as it is', async () => {
  const [one = ''] = await deadLetters(database, 1);
  await database.query("insert into observers.dead_letter_event (dead_letter_id, what, who) values ($1, 'retry taken back', 'ann')", [one]);
  await database.query("insert into observers.dead_letter_event (dead_letter_id, what, who) values ($1, 'restored', 'ann')", [one]);
  expect((await recorded('?who=ann')).map(({ what, before, after }) => [what, before?.['state'], after?.['state']])).toEqual([
    ['dead letter: restored', 'discarded', 'dead'],
    ['dead letter: retry taken back', 'queued', 'dead'],
  ]);
});

test('a change that is rolled back leaves no operation', async () => {
  await database.query('begin');
  await database.query("insert into observers.paused_observer (stream, observer, paused_by) values ('main', 'all', 'ann')");
  await database.query('rollback');
  expect(await recorded()).toEqual([]);
});

test('commands change by name of the user who runs them, and are listed by a command', async () => {
  receiver.answer = status(400);
  await database.query('insert into public.orders values (1, 2000), (2, 3000)');
  await untilRows(database, "select from observers.pending_delivery where state = 'parked'", 2);
  const [letter = ''] = await deadLetters(database, 1);
  const program = programOn(database, FILE(receiver.url));
  try {
    for (const args of [
      ['observers', 'pause', 'all', '--reason', 'it moves'],
      ['observers', 'resume', 'all'],
      ['dlq', 'remove', letter, '--yes'],
      ['lanes', 'resume', '--entity-key', '1', '--yes'],
    ]) {
      const { code, err } = await program.run(args);
      expect([args, code, err]).toEqual([args, 0, '']);
    }
    await untilRows(database, "select from observers.pending_delivery where state = 'parked'", 2);
    expect((await program.run(['lanes', 'skip', '--entity-key', '2', '--yes'])).code).toBe(0);
    const listed = await program.json<RecordedOperation[]>(['operations', 'list']);
    expect(listed.reverse().map(({ what, via, who }) => [what, via, /^api/.test(who)])).toEqual(
      ['observer: paused', 'observer: resumed', 'dead letter: discarded', 'lanes: resumed', 'dead letter: skipped'].map((what) => [
        what,
        'fraiseql-observers cli',
        false,
      ]),
    );
    expect(listed[3]?.set).toMatchObject({ count: 1, heads: [{ observer: 'lane', action: 'webhook' }] });
    const { out } = await program.run(['operations', 'list', '--what', 'lanes']);
    expect(out).toMatch(/lanes: resumed +count 1, heads \(1\), stream main; states \(1\) → states \(1\)/);
    expect(await program.json(['operations', 'list', '--who', 'nobody'])).toEqual([]);
  } finally {
    program.remove();
  }
});

test('who captures a table is on record, also when the role owns nothing of ours', async () => {
  await database.query('create table public.items (id int primary key)');
  await database.query('delete from observers.operation');
  await database.capture('public.items');
  await database.capture('public.items');
  expect(await recorded('?what=capture')).toMatchObject([
    { what: 'capture: applied', set: { table: expect.stringContaining('items') as unknown }, before: null },
  ]);
});
