import { PooledDatabase } from '../../src/database/database';
import { createPool } from '../../src/database/postgres';
import { Clock, SystemClock } from '../../src/event/clock';
import type { AuditTrail, CountedBy, SearchFilter, SearchResult, TryFilter } from '../../src/search/audit-trail';
import { AUDIT_TRAILS } from '../../src/search/search.module';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ELASTICSEARCH, startElasticsearch, type TestElasticsearch } from '../support/elasticsearch';
import { describeWith } from '../support/missing-server';
import { deadLetters } from '../support/redrive';
import { beginFeed, searchSettings, untilTold } from '../support/search-feed';

const LONG = 60_000;
const ALL: SearchFilter = { entityType: null, entityKey: null, kind: null, since: null };
const ANY: TryFilter = { observer: null, action: null, outcome: null, error: null };
const HOSTILE = `50%_'"\\`;
const TENANT = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 4);
  await database.query('create table public.people (id text primary key, note text)');
  await database.query('create table public.places (id text primary key, note text)');
  await database.query('create table public.orders (id text primary key, shop uuid, note text)');
  await database.capture('public.people', { entity: 'Person' });
  await database.capture('public.places', { entity: 'Place' });
  await database.capture('public.orders', { entity: 'Order', tenant: 'shop' });
  // More than any driver looks at in one go, so that a clock may stop it in the middle.
  await database.query("insert into people select 'crowd-' || i, 'one of many' from generate_series(1, 700) i");
  await database.query("insert into people values ('ada', 'the analytical engine'), ('grace', 'a compiler')");
  await database.query('insert into people values ($1, null), ($2, null)', [HOSTILE, 'no pattern']);
  await database.query("update people set note = 'the difference engine' where id = 'ada'");
  await database.query("insert into places values ('london', 'the analytical society')");
  await database.query("delete from people where id = 'grace'");
  await database.query(
    `insert into orders select 'o' || i, case when i <= 2 then $1::uuid else $2::uuid end, 'Käse und Brot' from generate_series(1, 4) i`,
    [TENANT, OTHER],
  );
  await attempt('london', 'all', 'webhook', 'retry', 'connection', 'connect ECONNREFUSED', '2026-01-31T10:59:59Z');
  await attempt('o1', 'billing', 'invoice', 'retry', 'timeout', 'no answer', '2026-01-31T10:10:00Z');
  await attempt('o1', 'billing', 'invoice', 'succeeded', null, null, '2026-01-31T11:10:00Z');
  await attempt('o2', 'billing', 'invoice', 'dead', 'http_status', 'answered 400', '2026-01-31T11:20:00Z');
  await attempt('o2', 'mail', 'invoice', 'skipped', null, 'condition not met: total > 5', '2026-01-31T11:30:00Z');
  await attempt('o3', 'mail', 'letter', 'retry', 'timeout', 'no answer', '2026-01-31T12:00:00Z');
  await database.query(
    `insert into observers.quarantine (change_number, stream, reason, message) values ((${CHANGE}no pattern'), 'main', 'undecodable', 'no such month')`,
  );
  const [letter] = await deadLetters(database, 1, { observer: 'billing', entityType: 'Letter' });
  await database.query(
    `insert into observers.dead_letter_event (dead_letter_id, what, who, detail) values ($1, 'died', 'host', 'nobody'), ($1, 'discarded', 'grete@desk', 'customer called')`,
    [letter],
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const CHANGE = "select max(pk_entity_change_log) from core.tb_entity_change_log where object_key = '";

async function attempt(key: string, ...[observer, action, outcome, error, message, at]: (string | null)[]): Promise<void> {
  await database.query(
    `insert into observers.attempt (change_number, observer, action, attempt, outcome, error, message, duration_ms, finished_at, config_version)
     values ((${CHANGE}${key}'), $1, $2, 1, $3, $4, $5, 1, $6, 1)`,
    [observer, action, outcome, error, message, at],
  );
}

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
function behaves(open: (clock: Clock) => AuditTrail): void {
  let trail: AuditTrail;
  beforeAll(() => void (trail = open(new SystemClock())));

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
    const slow = open(new SlowClock());
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

  test('several words in quotes are one text, over whatever blanks there are', async () => {
    expect(await found(['the analytical engine'])).toEqual(['ada update before', 'ada insert data']);
    expect(await found(['analytical the'])).toEqual([]);
    expect(await found(['KÄSE UND'])).toEqual(['o4 insert data', 'o3 insert data', 'o2 insert data', 'o1 insert data']);
    expect(await found(['äs', 'e'], { entityKey: 'o1' })).toEqual(['o1 insert data+entity']);
  });

  test('why a delivery was skipped, and what people did about a dead letter, is found', async () => {
    expect(await found(['total > 5'])).toEqual(['o2 insert note']);
    expect(await found(['grete@desk', 'customer called'])).toEqual(['1 insert note']);
    expect(await found(['nobody'])).toEqual([]);
  });

  const keys = async (...asked: Parameters<typeof search>): Promise<(string | null)[]> =>
    (await search(...asked)).found.map(({ entityKey }) => entityKey);

  test.each<[string, Partial<SearchFilter>, string[]]>([
    ['an observer', { tried: { ...ANY, observer: 'billing' } }, ['o2', 'o1']],
    ['an action', { tried: { ...ANY, action: 'letter' } }, ['o3']],
    ['an outcome', { tried: { ...ANY, outcome: 'dead' } }, ['o2']],
    ['an error', { tried: { ...ANY, error: 'timeout' } }, ['o3', 'o1']],
    ['one try, and not of several together', { tried: { ...ANY, observer: 'mail', outcome: 'dead' } }, []],
    ['all of one try', { tried: { observer: 'billing', action: 'invoice', outcome: 'retry', error: 'timeout' } }, ['o1']],
    ['a tenant', { tenants: [TENANT] }, ['o2', 'o1']],
    ['tenants', { tenants: [TENANT, OTHER], entityType: 'Order' }, ['o4', 'o3', 'o2', 'o1']],
    ['no tenant', { tenants: [] }, []],
    ['a time before', { until: '2000-01-01T00:00:00Z' }, []],
  ])('without a word a filter leaves what is of %s', async (_what, filter, expected) => {
    expect(await keys([], filter)).toEqual(expected);
  });

  test('a moment between two writes parts them, to the microsecond', async () => {
    const { found: orders } = await search([], { entityType: 'Order' });
    const moment = orders[0]!.written;
    expect(await keys([], { entityType: 'Order', since: moment })).toContain('o4');
    expect(await keys([], { entityType: 'Order', until: moment })).not.toContain('o4');
  });

  test('page by page, in either order, each is given once', async () => {
    for (const order of ['newest', 'oldest'] as const) {
      const all: (string | null)[] = [];
      for (let [behind, ended]: [number | null, string] = [null, 'limit']; ended === 'limit';) {
        const page = await trail.search({ words: ['crowd'], filter: ALL, limit: 97, timeout: LONG, order, behind });
        all.push(...page.found.map(({ entityKey }) => entityKey));
        ({ ended } = page);
        behind = page.found.at(-1)?.change ?? null;
      }
      const expected = Array.from({ length: 700 }, (_, i) => `crowd-${i + 1}`);
      expect(all).toEqual(order === 'oldest' ? expected : expected.reverse());
    }
  });

  test.each<[CountedBy, string[], Partial<SearchFilter>, Record<string, number>]>([
    ['observer', [], {}, { billing: 3, mail: 2, all: 1 }],
    ['outcome', [], {}, { retry: 3, dead: 1, skipped: 1, succeeded: 1 }],
    ['error', [], {}, { timeout: 2, connection: 1, http_status: 1 }],
    ['hour', [], {}, { '2026-01-31T10:00:00Z': 2, '2026-01-31T11:00:00Z': 3, '2026-01-31T12:00:00Z': 1 }],
    ['outcome', [], { tried: { ...ANY, observer: 'billing' } }, { dead: 1, retry: 1, succeeded: 1 }],
    ['observer', ['käse'], { tenants: [TENANT] }, { billing: 3, mail: 1 }],
    ['observer', ['nowhere'], {}, {}],
  ])('tries are counted by %s', async (by, words, filter, expected) => {
    const { counts, ended } = await trail.count({ words, filter: { ...ALL, ...filter }, timeout: LONG, by });
    expect([counts.map(({ value, count }) => [value, count]), ended]).toEqual([Object.entries(expected), 'end']);
  });

  test('when there is no time to count, it says so', async () => {
    expect(await trail.count({ words: [], filter: ALL, timeout: 0, by: 'error' })).toEqual({ counts: [], ended: 'time' });
  });
}

describe('postgres', () => {
  behaves((clock) => AUDIT_TRAILS.postgres(new PooledDatabase(pool), clock));
});

describeWith(
  ELASTICSEARCH,
  () => {
    let server: TestElasticsearch;
    beforeAll(async () => {
      server = await startElasticsearch();
      const feed = await beginFeed(database, pool, searchSettings(server.url));
      await untilTold(database, server);
      await feed.stop();
    }, 240_000);
    afterAll(() => server.stop());

    behaves((clock) => AUDIT_TRAILS.elasticsearch(new PooledDatabase(pool), clock, searchSettings(server.url)));

    test.each([['engine'], ['o1'], ['e'], ['ECONN'], ['"ada"'], ['crowd-70'], ['customer'], [HOSTILE]])(
      'what is found of %s is what PostgreSQL finds, to the letter',
      async (word) => {
        const request = { words: [word], filter: ALL, limit: 800, timeout: LONG };
        const [here, there] = await Promise.all([
          AUDIT_TRAILS.elasticsearch(new PooledDatabase(pool), new SystemClock(), searchSettings(server.url)).search(request),
          AUDIT_TRAILS.postgres(new PooledDatabase(pool), new SystemClock()).search(request),
        ]);
        expect(there.found.length).toBeGreaterThan(0);
        expect([here.found, here.ended]).toEqual([there.found, there.ended]);
      },
    );
  },
  'elasticsearch',
);

/** A word may be found in several places, which have no order. */
function sorted(line: string): string {
  const words = line.split(' ');
  return [...words.slice(0, -1), words.at(-1)?.split('+').sort().join('+')].join(' ');
}
