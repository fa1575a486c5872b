import { randomBytes } from 'node:crypto';
import { createTestDatabase, urlFor, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { untilLeading, untilRows } from '../support/until';

/** All at once: what one of them breaks is broken. */
const ODD: Readonly<Record<string, string>> = {
  standard_conforming_strings: 'off',
  escape_string_warning: 'off',
  backslash_quote: 'off',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  quote_all_identifiers: 'on',
  array_nulls: 'off',
  transform_null_equals: 'on',
  DateStyle: "'German, DMY'",
  IntervalStyle: 'iso_8601',
  TimeZone: "'Asia/Kathmandu'",
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  // The first statement of a session, which pins its settings, is under it: on a busy machine that takes longer than 20 ms.
  statement_timeout: "'250ms'",
  lock_timeout: "'1ms'",
  idle_in_transaction_session_timeout: "'1ms'",
  idle_session_timeout: "'500ms'",
  client_min_messages: 'debug5',
  row_security: 'off',
  session_replication_role: 'replica',
  plan_cache_mode: 'force_generic_plan',
  jit_above_cost: '0',
  search_path: "'nowhere'",
  xmlbinary: 'hex',
  lc_numeric: "'C'",
};

const file = (url: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { works: { url: "${url}/works", allow_addresses: [loopback] }, refuses: { url: "${url}/refuses", allow_addresses: [loopback] } }
observers:
  - { name: good, entity: Order, actions: [{ type: webhook, endpoint: works }] }
  - { name: bad, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: refuses }] }
  - { name: books, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: refuses }] }
`;

/** Commands that only look, with what may be told by their exit codes. */
const LOOKS = [
  ['config', 'history'],
  ['migrate', '--check'],
  ['capture', 'check'],
  ['status', '--detailed'],
  ['dlq', 'list'],
  ['dlq', 'stats'],
  ['lanes', 'list'],
  ['observers', 'list'],
  ['audit', 'verify'],
  ['audit', 'list'],
  ['search', 'tea'],
  ['tail', '--no-follow'],
  ['debug-event', '--history', '5'],
  ['dlq', 'retry-all', '--dry-run'],
  ['replay', '--observer', 'good', '--from-change', '1', '--dry-run'],
];

const WRITES = [
  ['capture', 'apply', '--yes'],
  ['observers', 'pause', 'good'],
];

// Each takes a second or two to start.
jest.setTimeout(240_000);

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: TestService | null = null;

const name = (): string => new URL(database.url).pathname.slice(1);

beforeEach(async () => {
  database = await createTestDatabase({ migrate: false });
  receiver = await startReceiver((request, response) => response.writeHead(request.path === '/works' ? 204 : 400).end());
  program = programOn(database, file(receiver.url));
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

interface Told {
  readonly code: number;
  /** The command, and everything that it wrote. */
  readonly all: string;
}

async function run(args: readonly string[], by = program): Promise<Told> {
  const { code, out, err } = await by.run(args);
  const all = `${args.join(' ')} -> ${code}\n${out}${err}`;
  expect(all).not.toMatch(/unexpected error|^ {4}at /m);
  return { code, all };
}

/** Several side by side: most of their time they load. */
async function each(commands: readonly (readonly string[])[], by = program): Promise<Told[]> {
  const told: Told[] = [];
  const left = [...commands];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) told.push(await run(next, by));
  };
  await Promise.all([work(), work(), work()]);
  return told;
}

test('every command and the service work, whatever the database has set otherwise', async () => {
  for (const [setting, value] of Object.entries(ODD)) await database.query(`alter database ${name()} set ${setting} = ${value}`);
  await database.query('create table orders (id int primary key, what text)');
  expect((await run(['migrate'])).code).toBe(0);
  service = await startTestService(database.url, { file: file(receiver.url), env: { OBSERVERS_AUDIT_INTERVAL: '100ms' } });
  await untilLeading(service.streams.main);
  await database.query("insert into orders select i, 'tea \\\\ ' || i from generate_series(1, 40) i");
  await database.query("update orders set what = 'more tea' where id <= 20");
  await receiver.waitFor((all) => all.filter(({ path }) => path === '/works').length === 60);
  await untilRows(database, 'select from observers.dead_letter', 60);
  const told = [...(await each(LOOKS)), ...(await each(WRITES))];
  expect(told.filter(({ code }) => code !== 0).map(({ all }) => all)).toEqual([]);
});

test('a database that is switched to reading only can be looked at, and each command that writes says so', async () => {
  await database.query('create table orders (id int primary key, what text)');
  await run(['migrate']);
  service = await startTestService(database.url, { file: file(receiver.url) });
  await untilLeading(service.streams.main);
  await database.query("insert into orders values (1, 'tea')");
  await receiver.waitFor((all) => all.length >= 2);
  await service.stop();
  service = null;
  await database.query(`alter database ${name()} set default_transaction_read_only = on`);
  expect((await each(LOOKS.slice(3, 8))).filter(({ code }) => code !== 0).map(({ all }) => all)).toEqual([]);
  for (const { all } of await each([['observers', 'pause', 'good'], ['start']]))
    expect(all).toMatch(/takes no writes from this connection: .*read-only transaction[^]*reset default_transaction_read_only/);
  expect((await run(['doctor'])).all).toContain(`alter database ${name()} reset default_transaction_read_only`);
});

test('migrate on a database that is switched to reading only says what to do', async () => {
  await database.query(`alter database ${name()} set default_transaction_read_only = on`);
  expect((await run(['migrate'])).all).toMatch(/takes no writes from this connection[^]*reset default_transaction_read_only/);
});

test('a role that may only read is told so by every command that writes, and looks at all it may', async () => {
  await database.query('create table orders (id int primary key, what text)');
  await run(['migrate']);
  await run(['capture', 'apply', '--yes']);
  const role = `reader_${randomBytes(4).toString('hex')}`;
  await database.query(`create role ${role} login password 'reader'`);
  try {
    await database.query(
      `grant usage on schema observers, core to ${role}; grant select on all tables in schema observers, core to ${role}`,
    );
    const url = new URL(urlFor(name()));
    url.username = role;
    url.password = 'reader';
    const reader = programOn({ ...database, url: url.toString() }, file(receiver.url));
    const looks = await each(LOOKS.slice(3, 8), reader);
    expect(looks.filter(({ code }) => code !== 0).map(({ all }) => all)).toEqual([]);
    for (const { all } of await each([['observers', 'pause', 'good'], ['start']], reader))
      expect(all).toMatch(/may not|permission denied|only its owner/);
    reader.remove();
  } finally {
    await database.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test('a migration that meets something else in its place says which, and what to do', async () => {
  await database.query('create schema core; create view core.tb_entity_change_log as select 1 as one');
  expect((await run(['migrate'])).all).toMatch(/the migration ChangeLog1700000000001 cannot run: [^]*fraiseql-observers migrate/);
});
