import { Client } from 'pg';
import type { TailEntry } from '../../src/status/tail.sql';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import type { Running } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { eventually, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let program: Program;
let receiver: Receiver;
let service: Service | null = null;
let tail: Running | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => void response.writeHead(path === '/refuse' ? 422 : 204).end());
  program = programOn(database, 'version: 1\nobservers: []\n');
});

afterEach(async () => {
  await tail?.end('SIGINT');
  tail = null;
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

/** Milliseconds in which a program is started, on a machine that has much else to do. */
const START = 45_000;

/** Follows from now on; resolves when its place is taken. */
async function follow(...more: string[]): Promise<Running> {
  const running = program.launch(['tail', '-n', '0', '--format', 'json', ...more]);
  tail = running;
  const looked =
    "select from pg_stat_activity where application_name = 'fraiseql-observers tail' and datname = current_database() and query = 'commit'";
  await untilRows(database, looked, 1, START);
  return running;
}

const entriesOf = (running: Running): TailEntry[] =>
  running
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as TailEntry);
const shown = (running: Running, holds: (entries: TailEntry[]) => boolean): Promise<TailEntry[]> =>
  eventually(() => entriesOf(running), holds, START);
const keysOf = (entries: readonly TailEntry[]): (string | null)[] => entries.map(({ entityKey }) => entityKey);

const write = (keys: readonly string[], on: { query(sql: string, values: unknown[]): Promise<unknown> } = database): Promise<unknown> =>
  on.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type) select 'Order', k, 'INSERT' from unnest($1::text[]) k",
    [keys],
  );

test('rows that commit late are not missed, and none is printed twice', async () => {
  const running = await follow();
  const [first, second] = [new Client({ connectionString: database.url }), new Client({ connectionString: database.url })];
  await first.connect();
  await second.connect();
  await first.query('begin');
  await write(['late'], first);
  await second.query('begin');
  await write(['later'], second);
  await write(['now']);
  await shown(running, (entries) => entries.length === 1);
  await write(['and now']);
  await first.query('commit');
  await shown(running, (entries) => entries.length === 3);
  await second.query('commit');
  await write(['last']);
  const entries = await shown(running, (all) => keysOf(all).includes('last') && keysOf(all).includes('later'));
  expect(keysOf(entries).sort()).toEqual(['and now', 'last', 'late', 'later', 'now']);
  await first.end();
  await second.end();
  const { code } = await running.end('SIGINT');
  expect(code).toBe(0);
});

test('more than a page that comes at once is shown whole, page after page', async () => {
  const running = await follow();
  const open = new Client({ connectionString: database.url });
  await open.connect();
  await open.query('begin');
  await write(['late'], open);
  await write(Array.from({ length: 3_500 }, (_, index) => String(index)));
  await shown(running, (entries) => entries.length === 3_500);
  await open.query('commit');
  await open.end();
  const entries = await shown(running, (all) => keysOf(all).includes('late'));
  expect(new Set(keysOf(entries)).size).toBe(3_501);
  expect(entries).toHaveLength(3_501);
});

test('events, tries, dead letters and quarantine of a running service are shown, and neither payload nor secret', async () => {
  const file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: say, entity: Order, actions: [{ type: webhook, url: "${receiver.url}/hook?token=\${TOKEN}", allow_addresses: [loopback], headers: { authorization: "\${TOKEN}" } }] }
  - { name: refused, entity: Order, actions: [{ type: webhook, url: "${receiver.url}/refuse", allow_addresses: [loopback] }] }
  - { name: broken, entity: Order, when: "note > 1", actions: [{ type: log }] }
`;
  await database.query('create table orders (id int primary key, note text)');
  service = await startTestService(database.url, { file, env: { TOKEN: 'CANARY-token' } });
  await untilLeading(service.streams.main);
  const running = await follow();
  await database.query("insert into orders values (1, 'payload-canary')");
  await database.query("insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '2', 'SHRUG')");
  const entries = await shown(running, (all) => all.length >= 6);
  const brief = entries.map(({ kind, observer, outcome, error, entityKey }) => [kind, observer, outcome, error, entityKey].join(' '));
  expect(brief.sort()).toEqual([
    'attempt refused dead http_status 1',
    'attempt say succeeded  1',
    'dead letter broken dead condition 1',
    'event    1',
    'event    2',
    'quarantine  quarantined unknown_verb 2',
  ]);
  expect(running.output()).not.toContain('payload-canary');

  const of = async (...filter: string[]): Promise<string[]> => {
    const once = program.launch(['tail', '--format', 'json', ...filter]);
    const [first] = await shown(once, (all) => all.length > 0);
    expect(await once.end('SIGINT')).toMatchObject({ code: 0 });
    return [first!, ...entriesOf(once).slice(1)].map(({ kind, observer }) => [kind, observer].join(' '));
  };
  expect(await of('--observer', 'say')).toEqual(['attempt say']);
  expect(await of('--outcome', 'quarantined')).toEqual(['quarantine ']);
  expect((await of('--outcome', 'dead')).sort()).toEqual(['attempt refused', 'dead letter broken']);
  expect(await of('--since', '1h', '-n', '1', '--action', 'log')).toEqual(['dead letter broken']);

  const [letter] = await database.query<{ id: string }>("select id from observers.dead_letter where observer = 'broken'");
  expect((await program.run(['dlq', 'remove', letter!.id, '--force'])).code).toBe(0);
  await shown(running, (all) => all.some(({ kind, outcome }) => kind === 'dead letter' && outcome === 'discarded'));
  // It starts seven programs.
}, 240_000);

test('a connection that is lost is made again and said, and nothing is missed', async () => {
  const running = await follow();
  await write(['before']);
  await shown(running, (entries) => entries.length === 1);
  await database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fraiseql-observers tail' and datname = current_database()",
  );
  await write(['while it was away']);
  await running.waitFor(/the database does not answer .*trying again[\s\S]*the database answers again/);
  await write(['after']);
  const entries = await shown(running, (all) => all.length >= 3);
  expect(keysOf(entries)).toEqual(['before', 'while it was away', 'after']);
});

test('it says when no service leads, and when one begins to', async () => {
  const running = await follow();
  await running.waitFor(/no service leads the stream "main": changes are recorded, and nothing is delivered until one starts/);
  service = await startTestService(database.url);
  await running.waitFor(/ leads the stream "main" now/);
});

test('whoever reads no further ends it as SIGPIPE would, without a complaint', async () => {
  await write(['one', 'two', 'three']);
  const running = program.launch(['tail']);
  tail = running;
  await running.waitFor(/Order three/);
  running.child.stdout?.destroy();
  await eventually(
    async () => {
      await write(['more']);
      return running.child.exitCode;
    },
    (code) => code !== null,
  );
  expect([running.child.exitCode, running.output()]).toEqual([141, expect.not.stringMatching(/EPIPE|error/) as string]);
});

test('a database that cannot be reached at the beginning is an error', async () => {
  const running = program.launch(['tail'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  expect((await running.ended).code).toBe(3);
});
