import { readVersions } from '../../src/config/config-version.sql';
import { CURRENT_RULES } from '../../src/config/rules';
import { readConfigVersion } from '../../src/config/config-version.sql';
import { connect, createPool } from '../../src/database/postgres';
import { listDeadLetters, showDeadLetter } from '../../src/redrive/dead-letters.sql';
import { readRecent } from '../../src/status/tail.sql';
import { examine } from '../../src/doctor/examine';
import { explainChanges } from '../../src/explain/explanations.service';
import { searchPage } from '../../src/search/postgres-audit-trail.sql';
import { listEvents } from '../../src/explain/stored-events.sql';
import { createTestDatabase, urlFor, type TestDatabase } from '../support/database';
import { NO_FILTER } from '../support/redrive';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { defaultSettings, endpointOf, observerOf, startStream } from '../support/stream';
import { containing } from '../support/texts';
import { eventually, untilRows } from '../support/until';

/** Characters of each encoding, and some that it lacks. */
const ENCODINGS = [
  ['LATIN1', 'Grüße aus Århus', '€ 😀 日本'],
  ['WIN1252', 'Größe: 5 €', '😀 日本'],
  ['EUC_JP', '日本語の注文 ü', '😀 €'],
  ['EUC_KR', '대한민국', '😀 ÿ'],
  ['SQL_ASCII', 'alles: ü € 日本 😀', ''],
] as const;

describe.each(ENCODINGS)('a database of encoding %s', (encoding, has, lacks) => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase({ encoding });
  });
  afterAll(() => database.drop());

  test('is migrated, for no SQL of ours holds what it lacks', async () => {
    expect(await database.query('select count(*)::int as count from observers.migration')).not.toEqual([{ count: 0 }]);
  });

  test('is told by the doctor, with what follows', async () => {
    const findings = await examine({ client: database.client, url: database.url, settings: defaultSettings(), captures: [] });
    expect(findings.find(({ check }) => check === 'encoding')).toMatchObject(
      encoding === 'SQL_ASCII'
        ? {
            state: 'warning',
            message: containing('goes into quarantine'),
            repair: containing('encoding UTF8'),
          }
        : { state: 'ok', message: containing(`${encoding}: converted to UTF-8`) },
    );
    expect(findings.filter(({ state }) => state === 'unknown').map(({ check }) => check)).toEqual(['lag', 'audit']);
  });

  test('keeps what it can hold, and the escapes of the rest, wherever a text is a parameter', async () => {
    const pool = createPool(database.url, 2);
    const client = await connect(database.url, 'test');
    const escaped = [...lacks].map((one) => (one === ' ' ? one : [...one].map(escapeOf).join(''))).join('');
    try {
      for (const session of [pool, client]) {
        const { rows } = await session.query<{ texts: string[]; text: string }>('select $1::text[] as texts, $2::text as text', [
          [has, lacks],
          has + lacks,
        ]);
        expect(rows).toEqual([{ texts: [has, escaped], text: has + escaped }]);
        const named = await session.query({ name: 'named', text: 'select $1::json as json', values: [{ [lacks]: has }] });
        expect(named.rows).toEqual([{ json: { [lacks]: has } }]);
      }
      await client.query('begin');
      const inside = client.query<{ text: string }>('select $1::text as text', ['\u{1f680}']);
      const behind = client.query<{ text: string }>('select $1::text as text', ['behind']);
      expect([(await inside).rowCount, (await behind).rows]).toEqual([1, [{ text: 'behind' }]]);
      await client.query('commit');
    } finally {
      await client.end();
      await pool.end();
    }
  });
});

function escapeOf(character: string): string {
  return Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
}

/** Rows with bytes that no client that speaks UTF-8 could write or read, by a legacy client of the database's own encoding. */
async function writeBytes(database: TestDatabase, statement: string, hex: string): Promise<void> {
  await database.query(
    `do $do$ begin execute replace($$${statement}$$, 'BYTES', convert_from('\\x${hex}', getdatabaseencoding()::text)); end $do$`,
  );
}

describe.each([
  ['SQL_ASCII', '4d fc 6c 6c 65 72', 'M\\374ller', 'Müller'],
  ['WIN1252', '4d 81 6c 6c 65 72', 'M\\201ller', 'Müller'],
  ['EUC_JP', 'f5 a1', '\\365\\241', '日本'],
] as const)('in a database of %s', (encoding, hex, shown, good) => {
  let database: TestDatabase;
  let receiver: Receiver;

  beforeAll(async () => {
    database = await createTestDatabase({ encoding });
    receiver = await startReceiver();
    await database.query('create table orders (id text primary key, name text)');
    await database.capture('public.orders');
  });
  afterAll(async () => {
    await receiver.close();
    await database.drop();
  });

  test('a row that cannot be converted goes into quarantine, and all beside it are delivered', async () => {
    const bytes = hex.replaceAll(' ', '');
    const stream = await startStream(database.url, [observerOf('hook', endpointOf(receiver.url))]);
    try {
      await database.query(`insert into orders select 'a' || i, $1 from generate_series(1, 250) i`, [good]);
      await writeBytes(database, `insert into orders values ('bad data', 'BYTES')`, bytes);
      await writeBytes(database, `insert into orders values ('bad key BYTES', 'x')`, bytes);
      await writeBytes(
        database,
        `insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('BYTES', 'k', 'INSERT')`,
        bytes,
      );
      await writeBytes(
        database,
        `insert into core.tb_entity_change_log (object_type, object_key, modification_type, trace_context) values ('T', 'k', 'INSERT', json_build_object('cause', 'BYTES')::jsonb)`,
        bytes,
      );
      await database.query(`insert into orders select 'b' || i, $1 from generate_series(1, 249) i`, [good]);
      await receiver.waitFor(499);
      const quarantine = await untilRows<{ reason: string; message: string }>(
        database,
        'select reason, message from observers.quarantine order by change_number',
        4,
      );
      expect(quarantine.map(({ reason }) => reason)).toEqual(Array(4).fill('undecodable'));
      expect(quarantine.map(({ message }) => message.split(':')[0])).toEqual([
        'object_data',
        'object_key, object_data',
        'object_type',
        'cause',
      ]);
      expect(receiver.requests).toHaveLength(499);
      expect(new Set(receiver.requests.map(({ body }) => (JSON.parse(body) as { data: { name: string } }).data.name))).toEqual(
        new Set([good]),
      );
    } finally {
      await stream.stop();
    }
  });

  test('lists, search and explanations show its bytes, and do not stumble', async () => {
    const items = await listDeadLetters(database.client, NO_FILTER, { limit: 10, offset: 0 });
    expect(items.map(({ entityKey }) => entityKey).sort()).toEqual([`bad data`, `bad key ${shown}`, 'k', 'k']);
    expect(items.map(({ entityType }) => entityType)).toContain(shown);
    for (const { id } of items) expect(await showDeadLetter(database.client, id)).toMatchObject({ id, kind: 'quarantine' });
    const tail = await readRecent(
      database.client,
      { since: null, change: null, count: 600 },
      { observer: null, action: null, entityType: null, outcome: null, bounds: { tenants: null, observers: null } },
    );
    expect(tail.entries.map(({ entityKey }) => entityKey)).toContain(`bad key ${shown}`);
    const pool = createPool(database.url, 1);
    try {
      const events = await listEvents(pool, 'main', { entityType: null, entityKey: null, kind: null }, null, 600);
      expect(events.map(({ entityKey }) => entityKey)).toContain(`bad key ${shown}`);
    } finally {
      await pool.end();
    }
    const everything = { entityType: null, entityKey: null, kind: null, since: null };
    const search = async (word: string) =>
      (
        await searchPage(database.client, {
          words: [word],
          filter: everything,
          order: 'newest',
          behind: Number.MAX_SAFE_INTEGER,
          rows: 600,
        })
      ).found;
    expect(await search('bad key')).toHaveLength(1);
    expect((await search(good)).length).toBe(499);
    expect(await search('😀')).toEqual([]);
    const options = {
      stream: 'main',
      retention: 86_400_000,
      maxEventSize: 1e6,
      current: false,
      definitionOf: () => {
        throw new Error('none');
      },
    };
    const explained = await explainChanges(
      database.client,
      items.map(({ changeNumber }) => changeNumber),
      options,
    );
    expect(explained).toHaveLength(4);
  });
});

describe('the whole service in a database of LATIN1', () => {
  let database: TestDatabase;
  let receiver: Receiver;

  beforeAll(async () => {
    database = await createTestDatabase({ encoding: 'LATIN1' });
    await database.query('create table orders (id int primary key, name text, extra json)');
    receiver = await startReceiver((_request, response) => response.writeHead(400).end('nein 😀, für 5 €'));
  });
  afterAll(async () => {
    await receiver.close();
    await database.drop();
  });

  const file = (): string => `# Größe in € 😀
version: 1
capture: [{ table: public.orders, entity: Bestellung für Årsta }]
observers:
  - name: hook
    entity: Bestellung für Årsta
    when: "name = 'Müller' AND extra.preis != '€'"
    dedup: { key: '{{ data.extra.preis }}', window: 1h }
    retry: { max_attempts: 1 }
    actions: [{ type: webhook, url: '${receiver.url}', allow_addresses: [loopback], body: { preis: '{{ data.extra.preis }}', zeichen: '😀' } }]
`;

  test('keeps the observers file word for word, delivers what JSON escapes, and records answers that the encoding lacks', async () => {
    const text = file();
    const service = await startTestService(database.url, { file: text });
    try {
      await database.query(`insert into orders values (1, 'Müller', '{"preis": "5 \\u20ac", "\\u20ac": "\\ud83d\\ude00"}')`);
      const [request] = await receiver.waitFor(1);
      expect(JSON.parse(request?.body ?? '')).toEqual({ preis: '5 €', zeichen: '😀' });
      const [item] = await eventually(
        () => listDeadLetters(database.client, NO_FILTER, { limit: 10, offset: 0 }),
        (items) => items.length === 1,
      );
      expect(item).toMatchObject({ entityType: 'Bestellung für Årsta', entityKey: '1', error: 'http_status' });
      const shown = await showDeadLetter(database.client, item?.id ?? '');
      expect(shown?.response).toBe('nein \\ud83d\\ude00, für 5 \\u20ac');
      expect(shown?.data).toEqual({ id: 1, name: 'Müller', extra: { preis: '5 €', '€': '😀' } });
      const [version] = await readVersions(database.client, 'main');
      expect(version?.source).toBe(text);
      expect(await readConfigVersion(database.client, version?.version ?? 0)).toEqual({ text, rules: CURRENT_RULES });
    } finally {
      await service.stop();
    }
  });

  test('goes on with the same version after a restart', async () => {
    const service = await startTestService(database.url, { file: file() });
    await service.stop();
    expect(await readVersions(database.client, 'main')).toHaveLength(1);
  });
});

test('an encoding that PostgreSQL cannot convert is refused by name', async () => {
  const database = await createTestDatabase();
  try {
    await database.query("create database mule_internal encoding 'MULE_INTERNAL' lc_collate 'C' lc_ctype 'C' template template0");
    await expect(connect(urlFor('mule_internal'), 'test')).rejects.toMatchObject({
      message: containing('conversion between UTF8 and MULE_INTERNAL is not supported'),
      remedy: containing('Move to a database of encoding UTF8'),
    });
  } finally {
    await database.query('drop database if exists mule_internal');
    await database.drop();
  }
});
