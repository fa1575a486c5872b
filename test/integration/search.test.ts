import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import type { SearchActionDefinition } from '../../src/event/definitions';
import type { Settings } from '../../src/config/settings';
import { createAuthority } from '../support/certificate';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { ELASTICSEARCH, startElasticsearch, type TestElasticsearch } from '../support/elasticsearch';
import { describeWith } from '../support/missing-server';
import { status, startReceiver } from '../support/receiver';
import { startTcpProxy } from '../support/tcp-proxy';
import { endpointOf, FAST_RETRY, observerOf, startStream, type TestStream } from '../support/stream';
import { containing, matching } from '../support/texts';
import { atLeast, until, untilRows } from '../support/until';

let server: TestElasticsearch;
let database: TestDatabase;
let stream: TestStream | null;
/** Each test has an index of its own. */
let index: string;
let tests = 0;

const start = async (
  changed: Partial<SearchActionDefinition> = {},
  retry = FAST_RETRY,
  url = server.url,
  settings: Partial<Settings> = {},
): Promise<void> => {
  const action: SearchActionDefinition = {
    type: 'search',
    name: 'index',
    index,
    id: '{{ entity.key }}',
    routing: null,
    operation: 'auto',
    document: null,
    timeout: 10_000,
    ...changed,
  };
  const observer = observerOf('orders', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry });
  stream = await startStream(database.url, [observer], { settings: { ...settings, elasticsearchUrl: [url] } });
};

interface Attempt {
  readonly outcome: string;
  readonly error: string | null;
  readonly change: string;
}
const ATTEMPTS = 'select outcome, error, change_number::text as change from observers.attempt order by change_number, finished_at';
const attempts = (count: number): Promise<Attempt[]> => untilRows<Attempt>(database, ATTEMPTS, atLeast(count));
const dead = async (): Promise<Record<string, unknown>> =>
  (await untilRows(database, 'select error, message, attempts, response from observers.dead_letter', 1))[0]!;
const stored = async (id: string): Promise<{ readonly body: Record<string, unknown>; readonly text: string }> =>
  server.request('GET', `/${index}/_doc/${encodeURIComponent(id)}?realtime=true`);

describeWith(ELASTICSEARCH, () => {
  beforeAll(async () => {
    server = await startElasticsearch();
  }, 240_000);
  afterAll(() => server.stop());

  beforeEach(async () => {
    stream = null;
    index = `orders-${++tests}`;
    database = await createTestDatabase();
    await database.query('create table public.orders (id text primary key, customer jsonb, total numeric)');
    await database.capture('public.orders');
  });

  afterEach(async () => {
    await stream?.stop();
    await database.drop();
  });

  test('a row is a document with all its digits and the number of its change as version; deleted with the row', async () => {
    // By itself it makes a long of an integer, and refuses this one.
    await server.request('PUT', `/${index}`, { mappings: { dynamic: false } });
    await start();
    await database.query(`insert into orders values ('7', '{"name": "Zoë\\nA", "n": 12345678901234567890}', 12345678901234567890.12)`);
    const [first] = await attempts(1);
    expect(first).toMatchObject({ outcome: 'succeeded' });
    const document = await stored('7');
    expect(document.text).toContain('"total":12345678901234567890.12');
    expect(document.text).toContain('"n": 12345678901234567890');
    expect(document.body).toMatchObject({ _version: Number(first?.change), _source: { id: '7', customer: { name: 'Zoë\nA' } } });
    await database.query('update orders set total = 2');
    await attempts(2);
    expect((await stored('7')).body).toMatchObject({ _source: { total: 2 } });
    await database.query('delete from orders');
    expect((await attempts(3))[2]).toMatchObject({ outcome: 'succeeded' });
    expect((await stored('7')).body).toMatchObject({ found: false });
  });

  test('ids are what they are, whatever stands in them', async () => {
    const ids = ['..', 'a/b?c#d', '"},"admin":true', 'é\n{"delete":{}}', '%2e%2e', 'x'.repeat(512)];
    await start();
    for (const id of ids) await database.query('insert into orders values ($1, null, 1)', [id]);
    await attempts(ids.length);
    await server.request('POST', `/${index}/_refresh`);
    const { body } = await server.request('GET', `/${index}/_search?size=100&_source=false`);
    expect((body as { hits: { hits: { _id: string }[] } }).hits.hits.map(({ _id }) => _id).sort()).toEqual([...ids].sort());
  });

  test.each([
    ['an empty one', '{{ customer.nobody }}', /empty/],
    ['one of 513 bytes', 'x'.repeat(513), /513 bytes/],
  ])('%s is no id', async (_what, id, message) => {
    await start({ id });
    await database.query("insert into orders values ('7', null, 1)");
    expect(await dead()).toMatchObject({ error: 'template', message: matching(message) });
  });

  test('a template makes the document, and what is in data stays in its place', async () => {
    await start({ document: { who: '{{ customer.name }}', total: '{{ total | json }}' }, routing: '{{ customer.region }}' });
    await database.query('insert into orders values ($1, $2, 12345678901234567890.5)', ['7', { name: '"},"admin":true', region: 'eu' }]);
    await attempts(1);
    const { body, text } = await server.request('GET', `/${index}/_doc/7?routing=eu`);
    expect(text).toContain('"total":12345678901234567890.5');
    expect(body).toMatchObject({ _routing: 'eu', _source: { who: '"},"admin":true' } });
  });

  test('an update merges its members into the document, and writes the whole when there is none', async () => {
    await server.request('PUT', `/${index}`, { mappings: { dynamic: false } });
    await start({ operation: 'update' });
    await server.request('PUT', `/${index}/_doc/7?version=1&version_type=external`, { kept: 1, customer: { vip: true, tags: ['a', 'b'] } });
    await database.query('insert into orders values ($1, $2, 12345678901234567890.5), ($3, null, 1)', ['7', { tags: ['c'] }, '8']);
    expect(await attempts(2)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]);
    const document = await stored('7');
    expect(document.body).toMatchObject({ _source: { kept: 1, customer: { vip: true, tags: ['c'] } } });
    expect(document.text).toContain('12345678901234567890.5');
    expect((await stored('8')).body).toMatchObject({ _source: { id: '8' } });
  });

  test.each(['index', 'update', 'delete'] as const)('%s of an older change leaves what a newer one has written', async (operation) => {
    await server.request('PUT', `/${index}/_doc/7?version=9000000000000000&version_type=external`, { newer: true });
    await start({ operation });
    await database.query("insert into orders values ('7', null, 1)");
    expect(await attempts(1)).toMatchObject([{ outcome: 'skipped', error: null }]);
    expect((await stored('7')).body).toMatchObject({ _source: { newer: true } });
  });

  test('what is deleted and not there is deleted, with and without an index', async () => {
    await start({ operation: 'delete' });
    await database.query("insert into orders values ('7', null, 1)");
    await server.request('PUT', `/${index}`);
    await database.query("insert into orders values ('8', null, 1)");
    expect(await attempts(2)).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]);
  });

  test('many changes of few documents, and none is lost: the last of each stands', async () => {
    await start();
    for (let round = 1; round <= 20; round++)
      await database.query(
        'insert into orders select i::text, null, $1 from generate_series(1, 50) i on conflict (id) do update set total = $1',
        [round],
      );
    await attempts(1_000);
    await server.request('POST', `/${index}/_refresh`);
    const { body } = await server.request('GET', `/${index}/_count?q=total:20`);
    expect(body).toMatchObject({ count: 50 });
  });

  test('a document that the index refuses is a dead letter with its reason; those beside it are written', async () => {
    await server.request('PUT', `/${index}`, { mappings: { properties: { total: { type: 'boolean' } } } });
    await start({ document: { total: '{{ customer.total | json }}' } });
    await database.query(`insert into orders values ('7', '{"total": "secret words"}', 1), ('8', '{"total": true}', 1)`);
    const letter = await dead();
    expect(letter).toMatchObject({ error: 'http_status', message: matching(/refused the document \(400, /) });
    expect(letter).toMatchObject({ response: containing('total'), message: expect.not.stringContaining('secret') as string });
    await until(async () => (await stored('8')).body['found'] === true);
  });

  test.each([
    ['no user', (url: string) => url.replace(/\/\/.*@/, '//'), /does not accept the user of ELASTICSEARCH_URL/],
    ['a wrong password', (url: string) => url.replace('CANARY-elastic', 'CANARY-wrong'), /does not accept the user of ELASTICSEARCH_URL/],
    ['one who may only read', () => server.readerUrl, /security_exception/],
  ])('%s is told, without the password', async (_what, urlOf, message) => {
    await start({}, { ...FAST_RETRY, maxAttempts: 1 }, urlOf(server.url));
    await database.query("insert into orders values ('7', null, 1)");
    const letter = await dead();
    expect(letter).toMatchObject({ error: 'http_status', message: matching(message) });
    expect(JSON.stringify(letter)).not.toContain('CANARY');
  });

  test('a connection that goes dead is a timeout, and a new one is dialled', async () => {
    const proxy = await startTcpProxy('127.0.0.1', server.port);
    try {
      await start({ timeout: 500 }, { ...FAST_RETRY, maxAttempts: 100 }, server.url.replace(String(server.port), String(proxy.port)));
      await database.query("insert into orders values ('7', null, 1)");
      await attempts(1);
      proxy.blackhole();
      await database.query("insert into orders values ('8', null, 1)");
      expect((await attempts(2))[1]).toMatchObject({ outcome: 'retry', error: 'timeout' });
      proxy.restore();
      await until(async () => (await stored('8')).body['found'] === true);
    } finally {
      await proxy.close();
    }
  });

  test.each([
    ['trusted by OBSERVERS_ELASTICSEARCH_CA_FILE', true],
    ['unknown', false],
  ])('a certificate of an authority that is %s', async (_what, trusted) => {
    const authority = createAuthority();
    const folder = mkdtempSync(join(tmpdir(), 'observers-search-'));
    writeFileSync(join(folder, 'ca.crt'), authority.cert);
    const front = createServer(authority.issue({ names: ['localhost'] }), (socket) => {
      const upstream = connect(server.port, '127.0.0.1');
      socket.pipe(upstream).pipe(socket);
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    }).on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    try {
      const url = server.url.replace('http:', 'https:').replace(/127.0.0.1:\d+/, `localhost:${(front.address() as AddressInfo).port}`);
      const settings = trusted ? { elasticsearchCaFile: join(folder, 'ca.crt') } : {};
      await start({}, { ...FAST_RETRY, maxAttempts: 1 }, url, settings);
      await database.query("insert into orders values ('7', null, 1)");
      if (trusted) expect(await attempts(1)).toMatchObject([{ outcome: 'succeeded' }]);
      else expect(await dead()).toMatchObject({ error: 'tls', message: containing('set OBSERVERS_ELASTICSEARCH_CA_FILE') });
    } finally {
      await stream?.stop();
      stream = null;
      await new Promise((resolve) => front.close(resolve));
      rmSync(folder, { recursive: true });
    }
  });

  test('when a request is refused as a whole, only the document that is the cause is a dead letter', async () => {
    // What a proxy with a limit does: it knows nothing of documents.
    const front = await startReceiver((request, response, raw) => {
      if (request.body.includes('culprit')) return status(413)(request, response, raw);
      const { authorization = '', 'content-type': type = '' } = request.headers as Record<string, string>;
      void fetch(`http://127.0.0.1:${server.port}${raw.url}`, {
        method: raw.method ?? '',
        headers: { authorization, 'content-type': type, accept: type },
        body: request.body,
      }).then(async (answer) => {
        const headers = { 'content-type': answer.headers.get('content-type') ?? '', 'x-elastic-product': 'Elasticsearch' };
        response.writeHead(answer.status, headers).end(await answer.text());
      });
    });
    try {
      await start({}, FAST_RETRY, server.url.replace(String(server.port), String(front.port)));
      await database.query("insert into orders (id) select i::text from generate_series(1, 30) i union all select 'culprit'");
      expect(await dead()).toMatchObject({ error: 'http_status', message: containing('413') });
      const outcomes = await attempts(31);
      expect(outcomes.filter(({ outcome }) => outcome === 'succeeded')).toHaveLength(30);
    } finally {
      await stream?.stop();
      stream = null;
      await front.close();
    }
  });

  // Last, for others would wait for it.
  test('killed in the middle: nothing is lost, and what was written is there', async () => {
    await start({}, { ...FAST_RETRY, maxAttempts: 1_000, initialDelay: 100 });
    await database.query('insert into orders select i::text, null, 1 from generate_series(1, 300) i');
    await attempts(1);
    await server.kill();
    await database.query("insert into orders values ('last', null, 1)");
    await untilRows(database, "select from observers.attempt where error = 'connection'", atLeast(1));
    await server.restart();
    const written = "select from observers.attempt where outcome = 'succeeded'";
    await untilRows(database, written, 301);
    await server.request('POST', `/${index}/_refresh`);
    expect((await server.request('GET', `/${index}/_count`)).body).toMatchObject({ count: 301 });
  });
});
