import { PooledDatabase } from '../../src/database/database';
import { createPool } from '../../src/database/postgres';
import { Clock, SystemClock } from '../../src/event/clock';
import type { AuditTrail, SearchFilter, SearchResult } from '../../src/search/audit-trail';
import { AUDIT_TRAILS } from '../../src/search/search.module';
import { createTestDatabase, type TestDatabase } from '../support/database';

const LONG = 60_000;
const ALL: SearchFilter = { entityType: null, entityKey: null, kind: null, since: null };
const HOSTILE = `50%_'"\\`;

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 2);
  await database.query('create table public.people (id text primary key, note text)');
  await database.query('create table public.places (id text primary key, note text)');
  await database.capture('public.people', { entity: 'Person' });
  await database.capture('public.places', { entity: 'Place' });
  // More than any driver looks at in one go, so that a clock may stop it in the middle.
  await database.query("insert into people select 'crowd-' || i, 'one of many' from generate_series(1, 700) i");
  await database.query("insert into people values ('ada', 'the analytical engine'), ('grace', 'a compiler')");
  await database.query('insert into people values ($1, null), ($2, null)', [HOSTILE, 'no pattern']);
  await database.query("update people set note = 'the difference engine' where id = 'ada'");
  await database.query("insert into places values ('london', 'the analytical society')");
  await database.query("delete from people where id = 'grace'");
  const change = "select max(pk_entity_change_log) from core.tb_entity_change_log where object_key = '";
  await database.query(
    `insert into observers.attempt (change_number, observer, action, attempt, outcome, error, message, duration_ms, finished_at, config_version)
     values ((${change}london'), 'all', 'webhook', 1, 'retry', 'connection', 'connect ECONNREFUSED', 1, now(), 1)`,
  );
  await database.query(
    `insert into observers.quarantine (change_number, stream, reason, message) values ((${change}no pattern'), 'main', 'undecodable', 'no such month')`,
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** Each look at it takes a second. */
class SlowClock extends Clock {
  private looked = 0;
  now(): number {
    return 0;
  }
  monotonic(): number {
    return this.looked++ * 1_000;
  }
}

// Every driver behaves like this: a new one is a line in AUDIT_TRAILS, and is tested with it.
describe.each(Object.entries(AUDIT_TRAILS))('%s', (_name, open) => {
  let trail: AuditTrail;
  beforeAll(() => void (trail = open(new PooledDatabase(pool), new SystemClock())));

  const search = (words: readonly string[], filter: Partial<SearchFilter> = {}, limit = 100): Promise<SearchResult> =>
    trail.search({ words, filter: { ...ALL, ...filter }, limit, timeout: LONG });
  const found = async (...asked: Parameters<typeof search>): Promise<string[]> =>
    (await search(...asked)).found.map(({ entityKey, kind, foundIn }) => `${entityKey} ${kind} ${foundIn.join('+')}`);

  test.each([
    ['the type of the entity', ['place'], ['london insert entity']],
    ['its key, whatever its case', ['GRACE'], ['grace delete entity', 'grace insert entity']],
    ['data', ['difference'], ['ada update data']],
    ['data that was replaced', ['analytical', 'ada'], ['ada update before+entity', 'ada insert data+entity']],
    ['the error of a try', ['econnrefused'], ['london insert error']],
    ['the reason of a quarantine', ['undecodable', 'month'], ['no pattern insert error']],
    ['each word, wherever it is', ['london', 'society', 'connection'], ['london insert data+entity+error']],
  ])('words are found in %s', async (_where, words, expected) => {
    expect((await found(words)).map(sorted)).toEqual(expected.map(sorted));
  });

  test('an event is found by its id and by its change number', async () => {
    const { found: listed } = await search(['london']);
    const { change = 0, event = '' } = listed[0] ?? {};
    expect((await search([event])).found).toMatchObject([{ change, foundIn: ['event'], excerpt: null }]);
    expect((await search([String(change)], { entityKey: 'london' })).found).toMatchObject([{ event }]);
  });

  test('what is found comes newest first, with the text around the word', async () => {
    const { found: listed, ended } = await search(['engine']);
    expect(ended).toBe('end');
    expect(listed.map(({ entityKey, kind }) => `${entityKey} ${kind}`)).toEqual(['ada update', 'ada insert']);
    expect(listed[0]).toMatchObject({ entityType: 'Person', excerpt: expect.stringContaining('the difference engine') as string });
    expect(listed[0]!.change).toBeGreaterThan(listed[1]!.change);
  });

  test.each<[string, Partial<SearchFilter>, string[]]>([
    ['a type of entity', { entityType: 'Place' }, ['london insert data']],
    ['an entity', { entityKey: 'ada' }, ['ada update before', 'ada insert data']],
    ['a kind of change', { kind: 'update' }, ['ada update before']],
    ['a time', { since: '9999-01-01T00:00:00Z' }, []],
    ['an entity that there is not', { entityKey: 'nobody' }, []],
  ])('a filter leaves only what is of %s', async (_what, filter, expected) => {
    expect(await found(['analytical'], filter)).toEqual(expected);
  });

  test('no more than the limit are given, and it is said that there may be more', async () => {
    const { found: listed, ended } = await search(['crowd'], {}, 3);
    expect([listed.map(({ entityKey }) => entityKey), ended]).toEqual([['crowd-700', 'crowd-699', 'crowd-698'], 'limit']);
    const all = await search(['crowd'], {}, 1_000);
    expect([all.found.length, all.ended, all.reached === null || all.reached.change > 0]).toEqual([700, 'end', true]);
  });

  test('when there is no time it says so', async () => {
    const none = await trail.search({ words: ['crowd'], filter: ALL, limit: 1_000, timeout: 0 });
    expect(none).toEqual({ found: [], ended: 'time', looked: 0, reached: null });
  });

  test('when the time is up it gives what it has, and says how far it came', async () => {
    const slow = open(new PooledDatabase(pool), new SlowClock());
    const { found: some, ended, looked, reached } = await slow.search({ words: ['crowd'], filter: ALL, limit: 1_000, timeout: 1_500 });
    expect(ended).toBe('time');
    expect(some.length).toBeGreaterThan(0);
    expect(looked).toBeLessThan(700);
    expect(reached?.change).toBeLessThanOrEqual(Math.min(...some.map(({ change }) => change)));
    // The connection is at rest again.
    expect((await search(['london'])).ended).toBe('end');
  });

  test.each([
    ['wildcards', '%_'],
    ['an apostrophe', `'`],
    ['a quote', `_'"`],
    ['a backslash at its end', '"\\'],
    ['all of them', HOSTILE],
  ])('a word with %s is found as it is written', async (_what, word) => {
    expect(await found([word], { entityType: 'Person' })).toEqual([`${HOSTILE} insert entity`]);
  });

  test.each([
    ['a wildcard that nothing holds', '%%'],
    ['a letter that stands for any', 'a_a'],
    ['what would end a statement', "'; drop table people; --"],
    ['the character 0', 'ada\0'],
    ['half of a pair', '\ud800'],
    ['a word that is nowhere', 'nowhere'],
  ])('%s finds nothing', async (_what, word) => {
    const { found: listed, ended } = await search([word]);
    expect([listed, ended]).toEqual([[], 'end']);
  });
});

/** A word may be found in several places, which have no order. */
function sorted(line: string): string {
  const words = line.split(' ');
  return [...words.slice(0, -1), words.at(-1)?.split('+').sort().join('+')].join(' ');
}
