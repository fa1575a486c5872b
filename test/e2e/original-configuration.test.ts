import type { DeadLetterDetails, DeadLetterItem } from '../../src/redrive/dead-letters.sql';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, untilLeading } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const fileOf = (observer: string, path: string, { more = '', endpoint = 'hook' } = {}): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { ${endpoint}: { url: "\${HOOKS}/${path}", allow_addresses: [loopback] } }
observers:
  - name: ${observer}
    entity: Order
    on: insert
    retry: { max_attempts: 1 }
    actions: [{ name: send, type: webhook, endpoint: ${endpoint}, headers: { x-made-by: ${path}${more} } }]
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  program = programOn(database, 'version: 1\nobservers: []\n');
  await database.query('create table public.orders (id int primary key)');
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const restart = async (file: string, env: Record<string, string> = { HOOKS: receiver.url }): Promise<void> => {
  await service?.stop();
  const started = await startTestService(database.url, { file, env });
  service = started;
  await untilLeading(started.streams.main);
};

/** One that died with `file`. */
async function dieWith(file: string): Promise<string> {
  await restart(file, { HOOKS: receiver.url, OLD: 'as it was' });
  receiver.answer = status(400);
  await database.query('insert into orders values (1)');
  const items = await eventually(
    () => program.json<DeadLetterItem[]>(['dlq', 'list']),
    (all) => all.length === 1,
  );
  receiver.answer = status(204);
  receiver.requests.length = 0;
  return items[0]!.id;
}

const versions = async (): Promise<number[]> =>
  (await database.query<{ version: number }>('select config_version as version from observers.attempt order by finished_at')).map(
    ({ version }) => version,
  );

test('a redrive goes by the configuration that runs, unless the original is asked for; attempts name the version they went by', async () => {
  const id = await dieWith(fileOf('tell', 'before'));
  await restart(fileOf('tell', 'after'));
  receiver.answer = status(400);
  expect((await program.run(['dlq', 'retry', id])).out).toContain('failed again (with the current configuration)');
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/after']);
  // What it died with stays: the retry is its history.
  const shown = await program.json<DeadLetterDetails>(['dlq', 'show', id]);
  expect(shown).toMatchObject({ error: 'http_status', status: 400, configVersion: 1, attempts: 2 });
  expect(shown.history.map(({ what, error, status: its, configVersion }) => [what, error, its, configVersion])).toEqual([
    ['died', 'http_status', 400, 1],
    ['retry asked for', null, null, null],
    ['failed again', 'http_status', 400, 2],
  ]);
  expect(shown.history[2]?.askedBy).toBe(shown.history[1]?.who);
  receiver.answer = status(204);
  expect(await program.run(['dlq', 'retry', id, '--config-version', 'original'])).toMatchObject({
    code: 0,
    out: containing('delivered (with the original configuration)'),
  });
  expect(receiver.requests.map(({ path, headers }) => [path, headers['x-made-by']]).slice(1)).toEqual([['/before', 'before']]);
  expect(await versions()).toEqual([1, 2, 1]);
});

test('with the original configuration an observer and an endpoint that were removed since still deliver, by a set too', async () => {
  const id = await dieWith(fileOf('gone', 'before', { endpoint: 'removed' }));
  await restart(fileOf('other', 'after'));
  const { token } = await program.json<{ token: string }>(['dlq', 'retry-all', '--dry-run']);
  expect(await program.json(['dlq', 'retry-all', '--token', token, '--yes', '--config-version', 'original'])).toMatchObject({
    configVersion: 'original',
    delivered: 1,
  });
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/before']);
  const { history } = await program.json<DeadLetterDetails>(['dlq', 'show', id]);
  expect(history.map(({ what, detail }) => [what, detail]).slice(1)).toEqual([
    ['retry asked for', matching(/^retry-all \S{12}, with the original configuration$/)],
    ['delivered', null],
  ]);
});

test('with the current configuration such an item stays, and says that its observer is no longer configured', async () => {
  const id = await dieWith(fileOf('gone', 'before'));
  await restart(fileOf('other', 'after'));
  expect((await program.run(['dlq', 'retry', id])).out).toContain('observer gone with action send is no longer configured');
  expect(receiver.requests).toEqual([]);
  const { out } = await program.run(['dlq', 'show', id]);
  expect(out).toMatch(/^error +http_status 400$/m);
  expect(out).toMatch(/^configuration +version 1$/m);
  expect(out).toMatch(/died, with version 1: http_status 400: the receiver answered 400/);
  expect(out).toMatch(
    /failed again, asked for by \S+, with version 2: configuration: observer gone with action send is no longer configured/,
  );
  // The mistake has cost nothing.
  expect(await program.run(['dlq', 'retry', id, '--config-version', 'original'])).toMatchObject({ code: 0, out: containing('delivered') });
});

test.each([
  ['taken out', fileOf('other', 'after'), /^message +observer late with action send is no longer configured \(version 2\)$/m],
  ['put into shadow', fileOf('late', 'after').replace('on: insert', 'on: insert\n    mode: shadow'), /shadow/],
])('what waited while its observer was %s died untried, and its original is the version that decided it', async (_what, after, message) => {
  await restart(fileOf('late', 'before').replace('on: insert', 'on: insert\n    delay: 1h'));
  await database.query('insert into orders values (1)');
  await eventually(() => database.query('select from observers.pending_delivery'), ({ length }) => length === 1); // prettier-ignore
  await restart(after);
  await database.query('update observers.pending_delivery set next_attempt_at = clock_timestamp()');
  const [item] = await eventually(() => program.json<DeadLetterItem[]>(['dlq', 'list']), ({ length }) => length === 1); // prettier-ignore
  const { id } = item!;
  expect(await program.json(['dlq', 'show', id])).toMatchObject({ error: 'configuration', configVersion: 1, attempts: 0 });
  expect((await program.run(['dlq', 'show', id])).out).toMatch(message);
  expect(await program.run(['dlq', 'retry', id])).toMatchObject({ code: 1 });
  const { history } = await program.json<DeadLetterDetails>(['dlq', 'show', id]);
  expect(history.map(({ what, configVersion }) => [what, configVersion])).toEqual([['died', 1], ['retry asked for', null], ['failed again', 2]]); // prettier-ignore
  expect(await program.run(['dlq', 'retry', id, '--config-version', 'original'])).toMatchObject({ code: 0, out: containing('delivered') });
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/before']);
});

test('an item that was delivered by a retry and dies once more, of a replay, has died anew', async () => {
  const id = await dieWith(fileOf('tell', 'before'));
  await restart(fileOf('tell', 'after'));
  program.write(fileOf('tell', 'after'));
  expect(await program.run(['dlq', 'retry', id])).toMatchObject({ code: 0 });
  receiver.answer = status(422);
  const env = { HOOKS: receiver.url };
  const replay = (args: readonly string[]) => program.launch(['replay', ...args], env);
  const looked = replay(['--observer', 'tell', '--dry-run', '--format', 'json']);
  await looked.ended;
  const { token } = JSON.parse(looked.output()) as { token: string };
  await replay(['--token', token, '--yes']).ended;
  const died = await eventually(
    () => program.json<DeadLetterDetails>(['dlq', 'show', id]),
    ({ resolvedAt }) => resolvedAt === null,
  );
  expect(died).toMatchObject({ status: 422, configVersion: 2 });
  expect(died.history.map(({ what }) => what)).toEqual(['died', 'retry asked for', 'delivered', 'died again']);
});

test('an original that can no longer be loaded is said, with its line and without a value, and the item can be retried by the current one', async () => {
  const id = await dieWith(fileOf('tell', 'before', { more: ', x-old: "${OLD}"' }));
  await restart(fileOf('tell', 'after'));
  const { code, out } = await program.run(['dlq', 'retry', id, '--config-version', 'original']);
  expect(code).toBe(1);
  expect(out).toMatch(
    /configuration version 1 can no longer be loaded: \S+observers\.yaml:10:\d+ \S+: the environment variable OLD is not set/,
  );
  expect(out).not.toContain('as it was');
  expect(await program.json(['dlq', 'show', id])).toMatchObject({
    error: 'http_status',
    configVersion: 1,
    history: [{}, {}, { error: 'configuration', configVersion: 1 }],
  });
  expect(await program.run(['dlq', 'retry', id])).toMatchObject({ code: 0 });
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/after']);
});
