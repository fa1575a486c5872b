import { apiOf } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { follow, type EventSource } from '../support/event-source';
import { startTestService, type TestService } from '../support/service';
import { until, untilLeading, untilRows } from '../support/until';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ACME = '11111111-aaaa-4000-8000-000000000001';
const OTHER = '22222222-bbbb-4000-8000-000000000002';
const READ = 'CANARY-read-0123456789';
const TENANT = 'CANARY-tenant-0123456789';
const OBSERVER = 'CANARY-observer-0123456789';
const FILE = `
version: 1
observers:
  - { name: ship, entity: Order, actions: [{ type: log }] }
  - { name: bill, entity: Order, actions: [{ type: log }] }
`;

let database: TestDatabase;
let service: TestService;
let folder: string;
const open: EventSource[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'observers-tokens-'));
  tokens(READ, TENANT, OBSERVER);
  service = await startTestService(database.url, {
    file: FILE,
    env: { OBSERVERS_API_TOKENS_FILE: join(folder, 'tokens'), OBSERVERS_API_RATE: '100000/s' },
  });
  await untilLeading(service.streams.main);
});
afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  await service.stop();
  await database.drop();
  rmSync(folder, { recursive: true });
});

function tokens(...known: string[]): void {
  const options: Record<string, string> = { [TENANT]: `;tenant=${ACME}`, [OBSERVER]: ';observer=ship' };
  writeFileSync(join(folder, 'tokens'), known.map((token) => `read:${token}${options[token] ?? ''}`).join('\n'));
}

async function tail(query = '', { token = READ, id }: { token?: string; id?: string } = {}): Promise<EventSource> {
  const headers = { authorization: `Bearer ${token}`, ...(id === undefined ? {} : { 'last-event-id': id }) };
  const source = await follow(service.address, `/tail?number=0${query}`, headers);
  open.push(source);
  return source;
}

const write = (keys: readonly string[], tenant: string | null = null): Promise<unknown> =>
  database.query(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, tenant_id)
     select 'Order', k, 'INSERT', '{}', $2 from unnest($1::text[]) k`,
    [keys, tenant],
  );

/** `event 1`, `succeeded 1 ship` */
const linesOf = (source: EventSource): string[] =>
  source
    .events()
    .map(({ data: { outcome, kind, entityKey, observer } }) => [outcome ?? kind, entityKey, observer].filter((part) => typeof part === 'string').join(' ')); // prettier-ignore
const sorted = (source: EventSource): string[] => linesOf(source).sort();

test('what happens is told as it happens, as server-sent events', async () => {
  const source = await tail();
  expect([source.status, source.headers['content-type'], source.headers['cache-control']]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
    'private, no-cache',
  ]);
  // A place to go on from before anything has happened.
  await until(() => source.lastId() !== '');
  await write(['1']);
  await until(() => source.events().length === 3);
  expect(sorted(source)).toEqual(['event 1', 'succeeded 1 bill', 'succeeded 1 ship']);
});

test('a filter, and the last ones to begin with', async () => {
  await write(['1', '2']);
  await untilRows(database, 'select from observers.attempt', 4);
  const source = await tail('&outcome=succeeded&observer=bill');
  await write(['3']);
  await until(() => source.events().length === 1);
  expect(linesOf(source)).toEqual(['succeeded 3 bill']);
  const last = await follow(service.address, '/tail?number=2&observer=ship', { authorization: `Bearer ${READ}` });
  open.push(last);
  await until(() => last.events().length === 2);
  expect(linesOf(last)).toEqual(['succeeded 2 ship', 'succeeded 3 ship']);
});

test('whoever loses the connection goes on behind any entry: nothing is missed, and nothing comes twice', async () => {
  const first = await tail('&observer=ship');
  await write(['1', '2', '3', '4']);
  await until(() => first.events().length === 4);
  first.close();
  await write(['5', '6']);
  await untilRows(database, 'select from observers.attempt', 12);
  for (const [i, { id }] of first.events().entries()) {
    const next = await tail('&observer=ship', { id: id ?? '' });
    await until(() => next.events().length >= 5 - i);
    expect([...linesOf(first).slice(0, i + 1), ...linesOf(next)].sort()).toEqual(['1', '2', '3', '4', '5', '6'].map((key) => `succeeded ${key} ship`)); // prettier-ignore
    next.close();
  }
});

test('a place that is none of ours is refused', async () => {
  const api = apiOf(service, { authorization: `Bearer ${READ}` });
  const made = Buffer.from(JSON.stringify(['1:0:', null, null, null, 'x'])).toString('base64url');
  for (const id of ['zz', 'bnVsbA', made, Buffer.from('["1:1:",null,null,null]').toString('base64url')]) {
    const { status, headers } = await api('GET /tail', { headers: { 'last-event-id': id } });
    expect([id, status, headers['content-type']]).toEqual([id, 400, 'application/problem+json; charset=utf-8']);
  }
});

test("a bound token sees what is its own: of its tenant, and what its observers did; never another's", async () => {
  const [ofTenant, ofObserver] = [await tail('', { token: TENANT }), await tail('', { token: OBSERVER })];
  await write(['1'], ACME);
  await write(['2'], OTHER);
  await write(['3']);
  await untilRows(database, 'select from observers.attempt', 6);
  await write(['4'], ACME);
  await until(() => ofTenant.events().length === 6 && ofObserver.events().length === 4);
  expect(sorted(ofTenant)).toEqual(['1', '4'].flatMap((key) => [`event ${key}`, `succeeded ${key} bill`, `succeeded ${key} ship`]).sort());
  expect(sorted(ofObserver)).toEqual(['1', '2', '3', '4'].map((key) => `succeeded ${key} ship`));
  // A place of somebody who sees all is no way round it.
  const all = await tail();
  await write(['5'], OTHER);
  await until(() => all.events().length > 0);
  const round = await tail('', { token: TENANT, id: ofTenant.events()[0]?.id ?? '' });
  await until(() => round.events().length === 5);
  expect(linesOf(round).join()).not.toMatch(/ [235]\b/);
});

test('it ends when its token is taken back', async () => {
  const [kept, taken] = [await tail(), await tail('', { token: TENANT })];
  tokens(READ);
  await until(() => taken.ended());
  expect(taken.events().at(-1)).toMatchObject({ event: 'end', data: { why: 'the token is not known any more' } });
  expect(kept.ended()).toBe(false);
});

test('a stop tells the last outcomes, and ends the answer whole', async () => {
  const source = await tail();
  await write(['1']);
  await until(() => source.events().length === 3);
  const stopped = service.stop();
  await until(() => source.ended());
  expect(source.events().at(-1)).toMatchObject({ event: 'end', data: { why: 'the service stops' } });
  await stopped;
  service = await startTestService(database.url, { file: FILE });
});

test('one token has eight streams at most; one that is closed makes room', async () => {
  const api = apiOf(service, { authorization: `Bearer ${READ}` });
  const sources = await Promise.all(Array.from({ length: 8 }, () => tail()));
  const refused = await api('GET /tail');
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '30']);
  expect((await tail('', { token: TENANT })).status).toBe(200);
  sources[0]?.close();
  await until(async () => (await api('GET /tail?number=0')).status === 200);
});

test('a reader that takes nothing holds up nobody, and has missed nothing when it goes on', async () => {
  const source = await tail('&observer=ship');
  source.pause();
  const keys = Array.from({ length: 6_000 }, (_, i) => `${'x'.repeat(900)}${i}`);
  await write(keys);
  await untilRows(
    database,
    'select count(*)::int as count from observers.attempt',
    (rows) => Number(rows[0]?.['count']) === 12_000,
    60_000,
  );
  source.resume();
  await until(() => source.text().split('\n\n').length > 6_000);
  expect(new Set(source.events().map(({ data }) => data['entityKey'])).size).toBe(6_000);
  expect(source.events().length).toBe(6_000);
});
