import type { DeadLetterDetails, DeadLetterItem } from '../../src/redrive/dead-letters.sql';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { deadLetters, fingerprint, programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { eventually, until, untilLeading, untilRows } from '../support/until';
import type { Service } from '../../src/lifecycle/start-service';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const fileOf = (path = '/hook'): string => `
version: 1
endpoints: { hook: { url: "${receiver.url}${path}", allow_addresses: [loopback] } }
observers: [{ name: all, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }]
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  program = programOn(database, fileOf());
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

interface DryRun {
  readonly count: number;
  readonly sample: readonly DeadLetterItem[];
  readonly token: string;
}

const dryRun = (...filters: string[]): Promise<DryRun> => program.json(['dlq', 'retry-all', '--dry-run', ...filters]);
const retryAll = (token: string, ...more: string[]): Promise<Record<string, number | boolean | string>> =>
  program.json(['dlq', 'retry-all', '--token', token, '--yes', ...more]);
const show = (id: string): Promise<DeadLetterDetails> => program.json(['dlq', 'show', id]);
const open = async (): Promise<number> => {
  const [row] = await database.query<{ n: number }>('select count(*)::int as n from observers.dead_letter where resolved_at is null');
  return row!.n;
};
const start = async (file = fileOf()): Promise<void> => {
  const started = await startTestService(database.url, { file });
  service = started;
  await untilLeading(started.streams.main);
};
const resolve = (id: string): Promise<unknown> =>
  database.query("update observers.dead_letter set resolved_at = now(), resolution = 'delivered' where id = $1", [id]);

test('a dry run writes nothing, and prints count, sample and a token that says what to type', async () => {
  await deadLetters(database, 25);
  const before = await fingerprint(database);
  const { code, out } = await program.run(['dlq', 'retry-all', '--dry-run']);
  expect(await fingerprint(database)).toEqual(before);
  expect(code).toBe(0);
  expect(out).toContain('… and 15 more\n');
  expect(out).toMatch(
    /25 items; nothing was changed\. To act on exactly these, within 24 hours:\nfraiseql-observers dlq retry-all --token [0-9a-z]{12}\n$/,
  );
});

test('the token acts on exactly the set of the dry run: what died later is not touched, what was resolved is left alone and said', async () => {
  const [first, , third] = await deadLetters(database, 4);
  const { token, count } = await dryRun();
  expect(count).toBe(4);
  const later = await deadLetters(database, 3);
  await resolve(first!);
  // It died again meanwhile: that is not what was looked at.
  await database.query("update observers.dead_letter set message = 'again', died_at = now() where id = $1", [third]);
  const { code, out } = await program.run(['dlq', 'retry-all', '--token', token, '--yes']);
  expect(code).toBe(0);
  expect(out).toContain('2 asked for, with the current configuration\n');
  expect(out).toContain('queued 2: they are tried as soon as a service leads the stream');
  expect(out).toContain('2 delivered, discarded or tried since the dry run, and left alone');
  const pending = await database.query<{ id: string }>(
    'select d.id from observers.pending_delivery p join observers.dead_letter d using (change_number) order by p.change_number',
  );
  for (const id of [first, third, ...later]) expect(pending.map((row) => row.id)).not.toContain(id);
  expect(pending).toHaveLength(2);
});

test('a dead letter that was written before the dry run and committed after it is not in the set', async () => {
  await deadLetters(database, 1);
  const other = await createOther();
  await other.query('begin');
  await other.query("update observers.dead_letter set message = 'changed' ");
  const { token, count } = await dryRun();
  await other.query('commit');
  await other.end();
  expect(count).toBe(1);
  expect(await retryAll(token)).toMatchObject({ asked: 0, left: 1 });
});

test.each([
  [
    'altered',
    (token: string) => token.replace(/^./, (first) => (first === 'a' ? 'b' : 'a')),
    'not one that a dry run on this database gave',
  ],
  ['cut off', (token: string) => token.slice(0, -4), 'not one that a dry run on this database gave'],
  ['for another command', (token: string) => token, 'this token is for retry, not for remove'],
])('a token that is %s is refused, and nothing is done', async (name, change, message) => {
  await deadLetters(database, 2);
  const { token } = await dryRun();
  const command = name === 'for another command' ? 'remove' : 'retry-all';
  expect(await program.run(['dlq', command, '--token', change(token), '--yes'])).toMatchObject({ code: 1, err: containing(message) });
  expect(await database.query('select 1 from observers.pending_delivery')).toEqual([]);
});

test('a token of another database is refused', async () => {
  await deadLetters(database, 1);
  const { token } = await dryRun();
  await database.query('delete from observers.item_set');
  expect(await program.run(['dlq', 'retry-all', '--token', token, '--yes'])).toMatchObject({ code: 1 });
});

test('without a dry run, without an answer, and with a filter beside the token nothing is done', async () => {
  await deadLetters(database, 1);
  const { token } = await dryRun();
  expect(await program.run(['dlq', 'retry-all'])).toMatchObject({ code: 1, err: containing('dlq retry-all --dry-run') });
  expect(await program.run(['dlq', 'retry-all', '--token', token])).toMatchObject({ code: 1, err: containing('Add --yes') });
  expect(await program.run(['dlq', 'retry-all', '--token', token, '--entity-type', 'Order', '--yes'])).toMatchObject({
    code: 1,
    err: containing('--entity-type and --token contradict each other'),
  });
  expect(await database.query('select 1 from observers.pending_delivery')).toEqual([]);
});

test('each filter narrows down list, stats and the set of a dry run alike', async () => {
  await deadLetters(database, 2, { observer: 'a', error: 'timeout', diedAt: "now() - interval '3 hours'" });
  await deadLetters(database, 3, { observer: 'b', endpoint: 'other' });
  await deadLetters(database, 1, { observer: 'b', entityType: 'Item' });
  const cases: [string[], number][] = [
    [['--observer', 'a'], 2],
    [['--action', 'webhook'], 6],
    [['--entity-type', 'Item'], 1],
    [['--entity-key', '2'], 2],
    [['--error', 'timeout'], 2],
    [['--endpoint', 'other'], 3],
    [['--after', '2h'], 4],
    [['--before', '2h'], 2],
    [['--before', '2001-01-01'], 0],
    [['--observer', 'b', '--endpoint', 'hook', '--after', '2001-01-01T00:00Z'], 1],
  ];
  for (const [filters, count] of cases) {
    expect([filters, (await dryRun(...filters)).count]).toEqual([filters, count]);
  }
  const [several, one] = cases.at(-1)!;
  expect(await program.json(['dlq', 'list', ...several])).toHaveLength(one);
  expect(await program.json(['dlq', 'stats', ...several])).toMatchObject({ count: one });
  expect(await program.run(['dlq', 'list', '--action', 'x'])).toMatchObject({ code: 1, err: containing('there is no action "x"') });
  expect(await program.run(['dlq', 'list', '--after', 'yesterday'])).toMatchObject({ code: 1, err: containing('--after 2h') });
});

test('limit and offset cut out the same items then and when the token is used', async () => {
  const ids = await deadLetters(database, 6);
  const { count, token, sample } = await dryRun('--limit', '2', '--offset', '1');
  expect([count, sample.map(({ id }) => id)]).toEqual([2, ids.slice(1, 3)]);
  await resolve(ids[0]!);
  expect(await retryAll(token)).toMatchObject({ total: 2, asked: 2 });
  const asked = await database.query<{ id: string }>(
    "select dead_letter_id as id from observers.dead_letter_event where what = 'retry asked for' order by 1",
  );
  expect(asked.map(({ id }) => id)).toEqual(ids.slice(1, 3).sort());
  expect((await dryRun('--offset', '9')).count).toBe(0);
  expect((await program.json<DeadLetterItem[]>(['dlq', 'list', '--limit', '2', '--offset', '4'])).length).toBe(1);
});

test('stats counts by observer and by kind of error, with the oldest and the newest', async () => {
  await deadLetters(database, 2, { observer: 'a', error: 'timeout', diedAt: "'2001-01-01T00:00Z'" });
  await deadLetters(database, 3, { observer: 'b' });
  await database.query(
    "insert into observers.quarantine (change_number, stream, reason, message) select min(pk_entity_change_log), 'main', 'unknown_verb', 'x' from core.tb_entity_change_log",
  );
  type Group = { observer: string | null; error: string | null; count: number; oldest: string };
  const groups = async (...flags: string[]) => (await program.json<{ groups: Group[] }>(['dlq', 'stats', ...flags])).groups;
  expect((await groups('--by-observer')).map((g) => [g.observer, g.error, g.count])).toEqual([
    ['b', null, 3],
    ['a', null, 2],
    [null, null, 1],
  ]);
  expect((await groups('--by-error')).map((g) => [g.error, g.count])).toEqual([
    ['http_status', 3],
    ['timeout', 2],
    ['unknown_verb', 1],
  ]);
  expect((await groups()).find(({ observer }) => observer === 'a')).toMatchObject({
    error: 'timeout',
    oldest: '2001-01-01T00:00:00+00:00',
  });
  expect((await program.run(['dlq', 'stats'])).out).toContain('6 in all');
});

test('remove takes an item out for good and keeps it on record, with who did it and why', async () => {
  const [one, two] = await deadLetters(database, 3);
  expect(await program.run(['dlq', 'remove', one!])).toMatchObject({ code: 1, err: containing('Add --yes') });
  expect(await program.run(['dlq', 'remove', one!, '--reason', 'a test order', '--yes'])).toMatchObject({ code: 0 });
  expect(await show(one!)).toMatchObject({
    resolution: 'discarded',
    history: [{ what: 'discarded', detail: 'a test order', who: expect.any(String) as string }],
  });
  await program.run(['dlq', 'retry', two!]);
  expect(await program.run(['dlq', 'remove', two!, '--yes'])).toMatchObject({ code: 1, err: containing(`dlq cancel ${two}`) });
  expect(await program.run(['dlq', 'retry', one!])).toMatchObject({ code: 0, out: containing('has left the dead letter queue already') });
  expect(await open()).toBe(2);
  expect((await program.run(['dlq', 'remove', '4b7a3c1e-0000-4000-8000-000000000001', '--yes'])).code).toBe(5);
});

test('remove by token discards exactly the set, quarantined changes too', async () => {
  await deadLetters(database, 3);
  await database.query(
    "insert into observers.quarantine (change_number, stream, reason, message) select max(pk_entity_change_log), 'main', 'unknown_verb', 'x' from core.tb_entity_change_log",
  );
  const { token, count } = await program.json<DryRun>(['dlq', 'remove', '--dry-run']);
  expect(count).toBe(4);
  await deadLetters(database, 1);
  expect(await program.json(['dlq', 'remove', '--token', token, '--force', '--reason', 'old'])).toMatchObject({ discarded: 4, left: 0 });
  expect(await open()).toBe(1);
  expect(await program.json(['dlq', 'list'])).toHaveLength(1);
  expect(await program.json(['dlq', 'remove', '--token', token, '--force'])).toMatchObject({ discarded: 0, left: 4 });
});

test('twenty people who retry one item at once fire it once', async () => {
  const [id] = await deadLetters(database, 1);
  receiver.answer = (_request, response) => void setTimeout(() => response.writeHead(204).end(), 3_000);
  await start();
  const results = await Promise.all(Array.from({ length: 20 }, () => program.run(['dlq', 'retry', id!])));
  expect(results.map(({ code }) => code)).toEqual(Array(20).fill(0));
  expect(receiver.requests).toHaveLength(1);
  expect((await show(id!)).history.map(({ what }) => what)).toEqual(['retry asked for', 'delivered']);
});

/** `npm run test:chaos` asks for 10,000, which takes minutes. */
const MANY = process.env['TEST_WHOLE'] === '1' ? 10_000 : 3_000;

test(`${MANY} dead letters are retried in bounded memory, and each fires once`, async () => {
  await deadLetters(database, MANY);
  await start();
  const { token } = await dryRun();
  // Of a heap of 48 MiB the program itself takes the most.
  const retrying = program.launch(['dlq', 'retry-all', '--token', token, '--yes'], { NODE_OPTIONS: '--max-old-space-size=48' });
  const ended = await retrying.ended;
  expect(retrying.output()).toContain(`delivered ${MANY}`);
  expect(ended.code).toBe(0);
  expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(MANY);
  expect(receiver.requests).toHaveLength(MANY);
  expect(await open()).toBe(0);
}, 300_000);

test('--rate is kept', async () => {
  await deadLetters(database, 40);
  await start();
  const { token } = await dryRun();
  expect(await retryAll(token, '--rate', '20/s')).toMatchObject({ delivered: 40, failed: 0 });
  const seconds = (receiver.requests.at(-1)!.at - receiver.requests[0]!.at) / 1_000;
  expect(seconds).toBeGreaterThan(1.6);
  expect(await program.run(['dlq', 'retry-all', '--token', token, '--rate', 'fast'])).toMatchObject({ code: 1, err: containing('50/s') });
});

test('Ctrl-C stops between items, says how many remain, and the same token goes on with the rest', async () => {
  await deadLetters(database, 60);
  await start();
  const { token } = await dryRun();
  const retrying = program.launch(['dlq', 'retry-all', '--token', token, '--yes', '--rate', '10/s']);
  await receiver.waitFor(8);
  const { code } = await retrying.end('SIGINT');
  expect(code).toBe(130);
  const [, asked, remaining] = /(\d+) asked for[\s\S]*stopped: (\d+) of the set remain/.exec(retrying.output()) ?? [];
  expect(Number(asked) + Number(remaining)).toBe(60);
  expect(Number(remaining)).toBeGreaterThan(0);
  await eventually(open, (left) => left === Number(remaining));
  expect(await retryAll(token)).toMatchObject({ asked: Number(remaining), delivered: Number(remaining), left: Number(asked) });
  expect(receiver.requests).toHaveLength(60);
});

test('what fails again stays, is said, and exits 1; the same token does not try it twice', async () => {
  await deadLetters(database, 4);
  receiver.answer = (request, response) =>
    void response.writeHead((JSON.parse(request.body) as { entity: { key: string } }).entity.key === '2' ? 400 : 204).end();
  await start();
  const { token } = await dryRun();
  const { code, out } = await program.run(['dlq', 'retry-all', '--token', token, '--yes']);
  expect([code, out]).toEqual([1, containing('delivered 3\nfailed again 1')]);
  expect(await retryAll(token)).toMatchObject({ asked: 0, left: 4 });
  expect(receiver.requests).toHaveLength(4);
  expect(await program.run(['dlq', 'list'])).toMatchObject({ out: containing('http_status 400') });
});

test('a set holds quarantined changes too: those that can be read now are delivered, the others stay', async () => {
  await start();
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Order', '1', 'UPSERT', '{}'), ('Order', '2', 'MERGE', '{}')",
  );
  await until(async () => (await program.json<unknown[]>(['dlq', 'list', '--error', 'unknown_verb'])).length === 2);
  const { token } = await dryRun();
  await database.query("update core.tb_entity_change_log set modification_type = 'INSERT' where object_key = '1'");
  expect(await retryAll(token)).toMatchObject({ asked: 2, delivered: 1, failed: 1 });
  await receiver.waitFor(1);
  expect(await program.json(['dlq', 'list'])).toMatchObject([{ kind: 'quarantine', entityKey: '2' }]);
  expect(await retryAll(token)).toMatchObject({ asked: 0, left: 2 });
});

test('a redrive that meets an endpoint that is down says so, and leaves the item where it was', async () => {
  const [id] = await deadLetters(database, 1);
  receiver.answer = status(500);
  await start();
  expect(await program.run(['dlq', 'retry', id!])).toMatchObject({
    code: 1,
    out: containing('failed again (with the current configuration): the receiver answered 500'),
  });
  expect(await open()).toBe(1);
});

const BREAKER = 'circuit_breaker: { minimum: 2, open_for: 1h }';
const withBreaker = (): string => fileOf().replace('allow_addresses: [loopback] }', `allow_addresses: [loopback], ${BREAKER} }`);
const breakerOpens = async (items: number): Promise<string[]> => {
  const ids = await deadLetters(database, items);
  receiver.answer = status(500);
  await start(withBreaker());
  await retryAll((await dryRun('--limit', '2')).token);
  await untilRows(database, `select from observers.listener where endpoints @> '[{"breaker": {"state": "open"}}]'`, 1);
  return ids;
};

test('a retry-all is refused while the breaker of its endpoint is open, and the dry run says so before', async () => {
  await breakerOpens(302);
  const shown = await program.run(['dlq', 'retry-all', '--dry-run']);
  expect(shown.out).toContain('the circuit breaker of hook is open: 302 of them would wait for it');
  const token = /--token (\S+)/.exec(shown.out)![1]!;
  expect(await program.run(['dlq', 'retry-all', '--token', token, '--yes'])).toMatchObject({
    code: 1,
    err: containing('the circuit breaker of hook (302 of them) is open'),
  });
  expect(await database.query('select 1 from observers.pending_delivery')).toEqual([]);
});

test('a retry-all that was begun too early is taken back: each item is open again, and can be discarded', async () => {
  const ids = await breakerOpens(302);
  const first = ids[7]!;
  const { token } = await dryRun();
  const asking = await program.run(['dlq', 'retry-all', '--token', token, '--yes', '--despite-breaker', '--rate', '10000/s']);
  expect(asking.out).toContain('302 asked for');
  expect(asking.out).toContain('waiting 302: they are tried as their endpoints have places');
  expect(asking.out).toContain(`fraiseql-observers dlq cancel --set ${token}`);
  expect(await program.run(['dlq', 'remove', first, '--yes'])).toMatchObject({ code: 1, err: containing(`dlq cancel ${first}`) });
  expect(await program.run(['dlq', 'retry', first])).toMatchObject({ code: 0, out: containing('the circuit breaker of hook is open') });
  expect(await program.run(['dlq', 'cancel', '--set', token])).toMatchObject({ code: 0, out: containing('302 taken back') });
  expect(await database.query('select 1 from observers.pending_delivery')).toEqual([]);
  expect(await open()).toBe(302);
  expect(await program.run(['dlq', 'remove', first, '--yes'])).toMatchObject({ code: 0 });
  expect(await program.run(['dlq', 'retry-all', '--token', token, '--yes'])).toMatchObject({
    code: 1,
    err: containing('was taken back by'),
  });
});

test('a breaker is closed from the command line, whichever instance has it, and what waits for it goes on', async () => {
  const ids = await breakerOpens(5);
  expect(await program.run(['breakers', 'list'])).toMatchObject({ out: containing('hook') });
  receiver.answer = status(204);
  expect(await program.run(['breakers', 'reset', 'hook', '--reason', 'it works again'])).toMatchObject({
    code: 0,
    out: containing('hook was open, and is closed'),
  });
  expect(await program.run(['dlq', 'retry', ids[4]!])).toMatchObject({ code: 0, out: containing('delivered') });
  expect(await program.run(['breakers', 'reset', 'hook'])).toMatchObject({ code: 0, out: containing('was closed already') });
  expect(await program.run(['breakers', 'reset', 'nothing'])).toMatchObject({ code: 5 });
  await service!.stop();
  service = null;
  expect(await program.run(['breakers', 'reset', 'hook'])).toMatchObject({ code: 3, err: containing('no service leads the stream') });
});

test('a breaker that opens while a retry-all is under way stops it, and what remains was not asked for', async () => {
  receiver.answer = status(500);
  await deadLetters(database, 2_000);
  await start(withBreaker());
  const { token } = await dryRun();
  const { code, out } = await program.run(['dlq', 'retry-all', '--token', token, '--yes']);
  expect(code).toBe(1);
  const [, remaining] = /stopped, for the circuit breaker of hook is open: (\d+) of the set remain/.exec(out) ?? [];
  expect(Number(remaining)).toBeGreaterThan(1_000);
  const [, waiting = '0'] = /waiting (\d+)/.exec(out) ?? [];
  const [, asked] = /(\d+) asked for/.exec(out) ?? [];
  const [, failed] = /failed again (\d+)/.exec(out) ?? [];
  const [, running = '0'] = /being tried (\d+)/.exec(out) ?? [];
  expect(Number(waiting) + Number(running) + Number(failed)).toBe(Number(asked));
  // What was claimed when the breaker opened was tried, or waits again.
  const { length } = await database.query('select 1 from observers.pending_delivery');
  expect(length).toBeGreaterThanOrEqual(Number(waiting));
  expect(length).toBeLessThanOrEqual(Number(waiting) + Number(running));
});

test('what a remove has discarded comes back by the same token', async () => {
  await deadLetters(database, 30);
  const { token } = await program.json<DryRun>(['dlq', 'remove', '--dry-run']);
  const { out } = await program.run(['dlq', 'remove', '--token', token, '--yes']);
  expect(out).toContain(`fraiseql-observers dlq restore --set ${token}`);
  expect(await program.json(['dlq', 'list', '--discarded'])).toHaveLength(30);
  expect(await open()).toBe(0);
  expect(await program.run(['dlq', 'restore', '--set', token])).toMatchObject({
    code: 0,
    out: containing('30 in the dead letter queue again'),
  });
  expect(await open()).toBe(30);
});

async function createOther() {
  const { connect } = await import('../../src/database/postgres');
  return connect(database.url, 'test');
}
