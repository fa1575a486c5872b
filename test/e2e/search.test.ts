import { OneConnection } from '../../src/database/database';
import { SystemClock } from '../../src/event/clock';
import type { SearchResult } from '../../src/search/audit-trail';
import { PostgresAuditTrail } from '../../src/search/postgres-audit-trail';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { containing } from '../support/texts';

let database: TestDatabase;
let program: Program;

beforeAll(async () => {
  database = await createTestDatabase();
  program = programOn(database, 'version: 1\nobservers: []\n');
  await database.query('create table orders (id int primary key, note text, email text)');
  await database.capture('public.orders', { mask: { email: 'hash' } });
  await database.query("insert into orders select i, 'order number ' || i, 'ada@example.com' from generate_series(1, 30) i");
  await database.query('update orders set note = \'Käse 100% \\_ "quoted"\' where id = 7');
  await database.query('delete from orders where id = 8');
  await database.query(
    `insert into observers.attempt (change_number, observer, action, attempt, outcome, error, message, duration_ms, finished_at, config_version)
     select pk_entity_change_log, 'all', 'webhook', 1, 'retry', 'connection', 'connect ECONNREFUSED 127.0.0.1:9', 1, now(), 1
     from core.tb_entity_change_log where object_key = '3'`,
  );
});

afterAll(async () => {
  program.remove();
  await database.drop();
});

const search = (...args: string[]): Promise<SearchResult & { note: string }> => program.json(['search', ...args]);
const found = async (...args: string[]): Promise<string[]> =>
  (await search(...args)).found.map(({ entityKey, kind, foundIn }) => `${entityKey} ${kind} ${foundIn.join('+')}`);

test.each([
  ['a text in the data, whatever its case', ['ORDER NUMBER 30'], ['30 insert data']],
  ['letters that are not ASCII', ['käse'], ['7 update data']],
  ['what a pattern would take for a wildcard', ['100% \\\\_'], ['7 update data']],
  ['a text that was replaced, in the image before', ['order number 7'], ['7 update before', '7 insert data']],
  ['what was deleted', ['number 8', '--kind', 'delete'], ['8 delete before']],
  ['the error of a try', ['econnrefused'], ['3 insert error']],
  ['every word, each where it is', ['econnrefused', 'order', '3'], ['3 insert entity+error']],
  ['one entity only', ['number', '--entity-key', '12'], ['12 insert data']],
  ['a word that is nowhere', ['econnrefused', 'nowhere'], []],
])('search finds %s', async (_what, args, expected) => {
  expect(await found(...args)).toEqual(expected);
});

test('a type of entity that there is not is no empty answer', async () => {
  const { code, err } = await program.run(['search', 'number', '--entity-type', 'Customer']);
  expect([code, err]).toEqual([1, containing('there is no type of entity "Customer"')]);
});

test('an event is found by its id and by its change number', async () => {
  const [row] = await database.query<{ id: string; number: number }>(
    "select id, pk_entity_change_log::float8 as number from core.tb_entity_change_log where object_key = '12'",
  );
  expect((await search(row!.id)).found).toMatchObject([{ change: row!.number, event: row!.id, foundIn: ['event'], excerpt: null }]);
  expect((await search(String(row!.number), '--entity-key', '12')).found).toMatchObject([{ change: row!.number }]);
});

test('the newest come first, and the limit is said', async () => {
  const result = await search('number', '--limit', '2');
  expect(result).toMatchObject({
    ended: 'limit',
    found: [
      { entityKey: '8', kind: 'delete' },
      { entityKey: '7', kind: 'update' },
    ],
  });
  const { out } = await program.run(['search', 'number', '--limit', '2']);
  expect(out).toContain('2 events: the newest; there may be more');
});

test('a masked column cannot be found, which is said', async () => {
  const { out, code } = await program.run(['search', 'ada@example.com']);
  expect([code, out]).toEqual([0, containing('nothing found in 32 changes')]);
  expect(out).toContain('Masked and excluded columns are not stored, and cannot be found.');
});

test('when its time is up it gives what it has, and says how far it came', async () => {
  // Each row takes 50 ms to be read here: the first page needs more than a second.
  await database.query('alter table core.tb_entity_change_log rename to whole');
  await database.query(`create view core.tb_entity_change_log as select w.* from core.whole w, lateral (select pg_sleep(0.05), w.id) s`);
  try {
    const result = await new PostgresAuditTrail(new OneConnection(database.client), new SystemClock()).search({
      words: ['number'],
      filter: { entityType: null, entityKey: null, kind: null, since: null },
      limit: 5,
      timeout: 300,
    });
    expect(result).toEqual({ found: [], ended: 'time', looked: 0, reached: null });
    const { out } = await program.run(['search', 'number', '--timeout', '1']);
    expect(out).toContain('The 1 s were up before any was looked at: older changes were not looked at');
  } finally {
    await database.query('drop view core.tb_entity_change_log');
    await database.query('alter table core.whole rename to tb_entity_change_log');
  }
});
