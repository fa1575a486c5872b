import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import type { Settings } from '../../src/config/settings';
import { createPool } from '../../src/database/postgres';
import type { IndexFeed } from '../../src/search/feed/index-feed';
import { startBusyProxy } from '../support/busy-elasticsearch';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ELASTICSEARCH, startElasticsearch, type TestElasticsearch } from '../support/elasticsearch';
import { describeWith } from '../support/missing-server';
import { startReceiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startServiceProcess } from '../support/service-process';
import { beginFeed, INDEX, indexed, searchSettings, untilTold } from '../support/search-feed';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { eventually, until, untilRows } from '../support/until';

const FILE = 'version: 1\nobservers: []\n';

let server: TestElasticsearch;
let database: TestDatabase;
let pool: Pool;
let feed: IndexFeed | null = null;

const begin = async (changed: Partial<Settings> = {}, url = server.url): Promise<void> => {
  feed = await beginFeed(database, pool, searchSettings(url, changed));
};
const numbers = async (): Promise<number[]> =>
  (await database.query<{ number: number }>('select pk_entity_change_log::float8 as number from core.tb_entity_change_log order by 1')).map(
    ({ number }) => number,
  );
const problem = (words: string): Promise<unknown> =>
  eventually(
    async () => (await database.query<{ problem: string | null }>('select problem from observers.search_feed'))[0]?.problem ?? '',
    (text) => text.includes(words),
  );
const attempt = (change: number, outcome = 'succeeded'): Promise<unknown> =>
  database.query(
    `insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
     values ($1, 'billing', 'invoice', 1, $2, 1, now(), 1)`,
    [change, outcome],
  );
const document = async (change: number): Promise<Record<string, unknown> | undefined> => {
  await server.request('POST', `/${INDEX}/_refresh`);
  const { body } = await server.request('POST', `/${INDEX}/_search`, { query: { term: { change } } });
  return (body as { hits: { hits: { _source: Record<string, unknown> }[] } }).hits?.hits[0]?._source;
};

describeWith(ELASTICSEARCH, () => {
  beforeAll(async () => {
    server = await startElasticsearch();
  }, 240_000);
  afterAll(() => server.stop());

  beforeEach(async () => {
    database = await createTestDatabase();
    pool = createPool(database.url, 4);
    await database.query('create table public.orders (id int primary key, note text, card text)');
    await database.capture('public.orders', { entity: 'Order', mask: { card: 'hash' } });
  });

  afterEach(async () => {
    await feed?.stop();
    feed = null;
    await pool.end();
    await database.drop();
    await server.request('DELETE', `/_index_template/${INDEX}`);
    for (const name of Object.keys((await server.request('GET', `/${INDEX}*`)).body)) await server.request('DELETE', `/${name}`);
  });

  test('a transaction that began before the cursor and commits behind it is told, and so is a try that does', async () => {
    const late = createPool(database.url, 1);
    const client = await late.connect();
    try {
      await client.query('begin');
      await client.query("insert into public.orders values (1, 'late')");
      await database.query("insert into orders values (2, 'early')");
      await begin();
      await untilTold(database, server);
      expect(await indexed(server)).toHaveLength(1);
      await database.query("insert into orders values (3, 'between')");
      await untilTold(database, server);
      await client.query('commit');
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());

      const [first] = await numbers();
      await client.query('begin');
      await client.query(
        `insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
         values (${first}, 'billing', 'invoice', 1, 'dead', 1, now(), 1)`,
      );
      await database.query("insert into orders values (4, 'after')");
      await untilTold(database, server);
      expect((await document(first!))?.['tries']).toEqual([]);
      await client.query('commit');
      await untilTold(database, server);
      expect((await document(first!))?.['tries']).toMatchObject([{ observer: 'billing', outcome: 'dead' }]);
      expect(await indexed(server)).toEqual(await numbers());
    } finally {
      client.release();
      await late.end();
    }
  });

  test('what is masked is masked in the index, and a try changes the one document of its change', async () => {
    await database.query("insert into orders values (1, 'seen', 'CANARY-card')");
    await begin();
    await untilTold(database, server);
    const [first] = await numbers();
    await attempt(first!, 'retry');
    await attempt(first!);
    await untilTold(database, server);
    expect((await document(first!))?.['tries']).toHaveLength(2);
    expect(await indexed(server)).toEqual([first]);
    const { text } = await server.request('POST', `/${INDEX}/_search`, { fields: ['*'] });
    expect(text).toContain('seen');
    expect(text).not.toContain('CANARY');
  });

  test('while Elasticsearch is away nothing waits but the index, no connection is held, and then it catches up', async () => {
    const receiver = await startReceiver();
    await server.kill();
    let isAway = true;
    const service = await startTestService(database.url, {
      env: { ...environment(), HOOK: `${receiver.url}/hook` },
      file: FILE_WITH_HOOK,
    });
    try {
      await database.query("insert into orders select i, 'away' from generate_series(1, 50) i");
      await receiver.waitFor(50);
      await problem('ELASTICSEARCH_URL');
      const ready = await fetch(`http://${service.address}/health/ready`);
      expect(ready.status).toBe(200);
      const status = await (await fetch(`http://${service.address}/status`)).json();
      expect(status).toMatchObject({ search: { index: INDEX, problem: containing('ELASTICSEARCH_URL'), parked: 0, building: false } });
      const metrics = await (await fetch(`http://${service.address}/metrics`)).text();
      expect(metrics).toMatch(/^observer_search_lag_seconds\{.*\} \d/m);
      expect(metrics).toMatch(/^observer_search_parked\{.*\} 0$/m);
      // Nobody is in a transaction meanwhile.
      await untilRows(database, "select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'", 0);
      await server.restart();
      isAway = false;
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());
      const found = await (await fetch(`http://${service.address}/search?q=away&outcome=succeeded&limit=50`)).json();
      expect((found as { found: unknown[] }).found).toHaveLength(50);
      const counted = await (await fetch(`http://${service.address}/search?q=away&count_by=outcome`)).json();
      expect(counted).toMatchObject({ ended: 'end', counts: [{ value: 'succeeded', count: 50 }], found: [], next: null });
    } finally {
      await service.stop();
      await receiver.close();
      if (isAway) await server.restart();
    }
  }, 120_000);

  test('killed again and again while it is written to, it loses nothing and has nothing twice', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'observers-search-'));
    writeFileSync(
      join(folder, 'observers.yaml'),
      `${FILE}capture: [{ table: public.orders, entity: Order, columns: { mask: { card: hash } } }]\n`,
    );
    let written = 0;
    try {
      for (let kills = 0; kills < 2; kills++) {
        const service = startServiceProcess(folder, { ...environment(), DATABASE_URL: database.url });
        await until(() => service.log.some(({ msg }) => msg === 'started'), 60_000);
        const before = (await indexed(server)).length;
        for (let i = 0; i < 10; i++) {
          await database.query(`insert into orders select i, 'killed' from generate_series(${written + 1}, ${written + 100}) i`);
          written += 100;
        }
        // In the middle of it.
        await until(async () => (await indexed(server)).length > before);
        await service.end('SIGKILL');
      }
      await database.query("update observers.lease set epoch = epoch + 1, expires_at = 'infinity'");
      const [lease] = await database.query<{ epoch: number }>('select epoch::float8 as epoch from observers.lease');
      feed = await beginFeed(database, pool, searchSettings(server.url), lease!.epoch);
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());
      expect(await numbers()).toHaveLength(2_000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 180_000);

  test.each(['all', 'some'] as const)(
    'when Elasticsearch has too much to do for %s of a request, less is sent and later, and all of it arrives',
    async (refuses) => {
      await database.query("insert into orders select i, 'many' from generate_series(1, 1200) i");
      const busy = await startBusyProxy(server.port, refuses);
      try {
        await begin({}, server.url.replace(String(server.port), String(busy.port)));
        await problem('429');
        await until(() => busy.refused >= 2);
        busy.refuses = 'none';
        await untilTold(database, server);
        expect(await indexed(server)).toEqual(await numbers());
        expect(Math.min(...busy.sizes)).toBeLessThan(Math.max(...busy.sizes));
        expect(await database.query('select from observers.search_parked')).toEqual([]);
        await untilRows(database, 'select from observers.search_feed where problem is null', 1);
      } finally {
        await feed?.stop();
        busy.close();
      }
    },
  );

  test('a document that is refused is parked with the reason, holds up no other, and is tried again when a person says so', async () => {
    const program = commands();
    try {
      await begin();
      await database.query("insert into orders values (1, 'large')");
      await untilTold(database, server);
      const index = Object.keys((await server.request('GET', `/${INDEX}-g1-*`)).body)[0]!;
      const allow = (tries: number): Promise<unknown> =>
        server.request('PUT', `/${index}/_settings`, { 'index.mapping.nested_objects.limit': tries });
      await allow(1);
      const [first] = await numbers();
      await attempt(first!, 'retry');
      await attempt(first!);
      await database.query("insert into orders values (2, 'small')");
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());
      const parked = await program.json<{ change: number; reason: string }[]>(['search', 'parked']);
      expect(parked).toMatchObject([
        { change: first, status: 400, tries: 1, entityType: 'Order', entityKey: '1', reason: containing('nested') },
      ]);
      expect((await program.run(['search', 'parked'])).out).toContain('search parked --retry');
      const { out } = await program.run(['doctor']);
      expect(out).toMatch(
        /^✓ search +the index audit-test is \d+ s behind\n! search +Elasticsearch refuses 1 document for good\n +→ fraiseql-observers search parked/m,
      );

      // Not mended yet.
      expect(await program.json(['search', 'parked', '--retry'])).toEqual({ asked: 1 });
      await untilRows(database, 'select from observers.search_parked where tries = 2 and not retry', 1);
      await allow(10_000);
      expect((await program.run(['search', 'parked', String(first), '--retry'])).out).toContain('1 document will be tried once more');
      await untilRows(database, 'select from observers.search_parked', 0);
      expect((await document(first!))?.['tries']).toHaveLength(2);
      const asked = "select from observers.operation where what = 'search: retry asked for' and (items ->> 'count')::int = 1";
      expect(await database.query(asked)).toHaveLength(2);
    } finally {
      program.remove();
    }
  });

  test('an index is built anew beside the one that is searched, while it is written to, and has each document once', async () => {
    const program = commands();
    try {
      await database.query("insert into orders select i, 'old' from generate_series(1, 1500) i");
      await begin();
      await untilTold(database, server);
      expect(await program.json(['search', 'reindex'])).toEqual({ generation: 2 });
      const live = "select from observers.search_feed where state = 'live' and generation = 2";
      let written = 1500;
      for (let isLive = false; !isLive; isLive = (await database.query(live)).length > 0) {
        written++;
        await database.query('insert into orders values ($1, $2)', [written, 'new']);
        // What is searched is never less than all.
        expect((await indexed(server)).length).toBeGreaterThanOrEqual(1_500);
      }
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());
      await until(async () => Object.keys((await server.request('GET', `/${INDEX}-g1-*`)).body).length === 0);
      const [before] = await database.query<{ now: string }>('select clock_timestamp()::text as now');
      await database.query("update orders set note = 'latest' where id = 7");
      await program.json(['search', 'reindex', '--since', new Date(Date.parse(before!.now)).toISOString()]);
      await untilRows(database, "select from observers.search_feed where state = 'live' and generation = 3", 1, 30_000);
      await untilTold(database, server);
      expect(await indexed(server)).toEqual((await numbers()).slice(-1));
    } finally {
      program.remove();
    }
  }, 60_000);

  test.each<[string, () => Promise<void>, string]>([
    ['a password that is wrong', () => begin({}, server.url.replace('CANARY', 'WRONG')), 'does not accept the user of ELASTICSEARCH_URL'],
    ['a user who may only read', () => begin({}, server.readerUrl), 'privileges'],
    ['an address where nobody listens', () => begin({}, 'http://127.0.0.1:9'), 'Correct ELASTICSEARCH_URL'],
    ['a server without TLS', () => begin({}, server.url.replace('http:', 'https:')), 'Correct ELASTICSEARCH_URL'],
    [
      'a template of somebody else',
      async () => {
        await server.request('PUT', `/_index_template/${INDEX}`, { index_patterns: [`${INDEX}-other`], template: {} });
        await begin();
      },
      `the index template "${INDEX}" was made by somebody else, with another mapping; set OBSERVERS_SEARCH_INDEX`,
    ],
    [
      'an index of somebody else',
      async () => {
        const day = new Date().toISOString().slice(0, 10).replaceAll('-', '.');
        await server.request('PUT', `/${INDEX}-g1-${day}`, { mappings: { properties: { change: { type: 'keyword' } } } });
        await database.query("insert into orders values (1, 'x')");
        await begin();
      },
      'OBSERVERS_SEARCH_INDEX',
    ],
    [
      'the template of another database',
      async () => {
        const _meta = { product: 'fraiseql-observers', version: 1, database: 'another', stream: 'main' };
        await server.request('PUT', `/_index_template/${INDEX}`, { index_patterns: [`${INDEX}-g*`], _meta, template: {} });
        await begin();
      },
      'belongs to the stream "main" of another database; set OBSERVERS_SEARCH_INDEX',
    ],
  ])('%s is told by the setting to correct', async (_what, start, words) => {
    await start();
    expect(await problem(words)).not.toContain('CANARY');
    expect(await problem(words)).not.toContain('WRONG');
  });

  test('after a restore the index is not mixed with another future: it is built anew when a person says so', async () => {
    const program = commands();
    try {
      await database.query("insert into orders values (1, 'x')");
      await begin();
      await untilTold(database, server);
      await database.query("update observers.search_feed set system_identifier = 'another'");
      await problem('search reindex');
      await program.json(['search', 'reindex']);
      await untilRows(database, "select from observers.search_feed where state = 'live' and generation = 2", 1);
      await untilTold(database, server);
      expect(await indexed(server)).toEqual(await numbers());
    } finally {
      program.remove();
    }
  });
});

const FILE_WITH_HOOK = `version: 1
capture: [{ table: public.orders, entity: Order, columns: { mask: { card: hash } } }]
endpoints: { hook: { url: "\${HOOK}", allow_addresses: [loopback] } }
observers: [{ name: billing, entity: Order, actions: [{ name: invoice, type: webhook, endpoint: hook }] }]
`;

function environment(): Record<string, string> {
  return {
    OBSERVERS_SEARCH_DRIVER: 'elasticsearch',
    ELASTICSEARCH_URL: server.url,
    OBSERVERS_SEARCH_INDEX: INDEX,
    OBSERVERS_SEARCH_INTERVAL: '30ms',
  };
}

function commands(): Program {
  return programOn(database, FILE, environment());
}
