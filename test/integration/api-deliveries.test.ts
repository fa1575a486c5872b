import { apiOf, type Api } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService, type TestService } from '../support/service';
import { eventually, untilLeading } from '../support/until';

const ACME = '11111111-aaaa-4000-8000-000000000001';
const [ALL, TENANT, OBSERVER] = ['CANARY-all-0123456789', 'CANARY-tenant-0123456789', 'CANARY-observer-0123456789'];

let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let api: Api;

const FILE = (url: string): string => `
version: 1
observers:
  - { name: fine, entity: Order, actions: [{ type: webhook, endpoint: good }, { type: log, name: note }] }
  - { name: fails, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: bad }] }
  - { name: told, entity: Order, retry: { max_attempts: 1 }, on_failure: log, actions: [{ type: webhook, endpoint: bad }] }
  - { name: lane, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: bad }] }
  - { name: again, entity: Order, retry: { max_attempts: 5, initial_delay: 1h }, actions: [{ type: webhook, endpoint: busy }] }
  - { name: shade, entity: Order, mode: shadow, actions: [{ type: webhook, endpoint: good }] }
endpoints:
  good: { url: "${url}/good", allow_addresses: [loopback] }
  bad: { url: "${url}/bad", allow_addresses: [loopback], circuit_breaker: off }
  busy: { url: "${url}/busy", allow_addresses: [loopback], circuit_breaker: off }
`;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => void response.writeHead({ '/bad': 400, '/busy': 500 }[path] ?? 204).end());
  const tokens = `read:${ALL},read:${TENANT};tenant=${ACME},read:${OBSERVER};observer=fails`;
  service = await startTestService(database.url, { file: FILE(receiver.url), env: { OBSERVERS_API_TOKENS: tokens, OBSERVERS_API_RATE: '100000/s' } }); // prettier-ignore
  await untilLeading(service.streams.main);
  api = as(ALL);
  await database.query(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, tenant_id)
     select 'Order', i::text, 'INSERT', jsonb_build_object('id', i, 'secret', repeat('CANARY-data', 1000)), case when i = 1 then $1::uuid end from generate_series(1, 3) i`,
    [ACME],
  );
  await eventually(states, (found) => found.length === 21 && !/queued|running/.test(found.join()));
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

interface Item {
  readonly id: string;
  readonly changeNumber: number;
  readonly entityKey: string;
  readonly observer: string;
  readonly action: string;
  readonly state: string;
  readonly endpoint: string;
  readonly at: string;
}
interface Page {
  readonly items: Item[];
  readonly next: string | null;
}

const as = (token: string): Api => apiOf(service, { authorization: `Bearer ${token}` });
const list = async (query = '', by = api): Promise<Item[]> => (await by<Page>(`GET /deliveries${query}`)).body.items;
const states = async (): Promise<string[]> => (await list()).map(({ observer, action, state }) => `${observer}/${action} ${state}`);
const keys = (items: readonly Item[]): string[] => items.map(({ entityKey }) => entityKey);

test('each delivery is listed once, in its state, the newest change first', async () => {
  const each = [
    'again/webhook retrying',
    'fails/webhook dead',
    'fine/note delivered',
    'fine/webhook delivered',
    'lane/webhook parked',
    'shade/webhook shadow',
    'told/webhook logged',
  ];
  expect(await states()).toEqual([...each, ...each, ...each]);
  expect(keys(await list('?observer=fails'))).toEqual(['3', '2', '1']);
  const [dead] = await list('?observer=fails&entity_type=Order&entity_key=2');
  const [row] = await database.query<{ id: string }>("select id::text from observers.dead_letter where entity_key = '2'");
  expect(dead).toMatchObject({ id: row?.id, state: 'dead', endpoint: 'bad', attempts: 1, error: 'http_status', status: 400 });
  const [again] = await list('?observer=again&limit=1');
  expect(again).toMatchObject({ state: 'retrying', endpoint: 'busy', error: 'http_status', status: 500 });
});

test('what an instance claimed that is gone is not running: it waits', async () => {
  const claim = async (by: string): Promise<unknown> =>
    database.query(
      `with one as (select * from observers.pending_delivery where observer = 'again' order by change_number limit 1)
       update observers.pending_delivery p set state = 'running', claimed_by = $1, claimed_until = now() + interval '1 h'
       from one where (p.change_number, p.observer) = (one.change_number, one.observer)`,
      [by],
    );
  const stateOfFirst = async (): Promise<string | undefined> => (await list('?observer=again&entity_type=Order&entity_key=1'))[0]?.state;
  await claim((await database.query<{ holder: string }>('select holder from observers.lease'))[0]?.holder ?? '');
  expect(await stateOfFirst()).toBe('running');
  await claim('gone');
  expect(await stateOfFirst()).toBe('queued');
  expect(keys(await list('?observer=again&state=running'))).toEqual([]);
  await database.query(
    "update observers.pending_delivery set state = 'retrying', claimed_by = null, claimed_until = null where claimed_by = 'gone'",
  );
});

test('pages hold all of it once, whatever ends a page', async () => {
  for (const limit of [1, 4, 7, 20]) {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body }: { body: Page } = await api<Page>(`GET /deliveries?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...body.items.map(({ changeNumber, observer, action }) => `${changeNumber}/${observer}/${action}`));
      cursor = body.next;
    }
    expect([limit, seen.length, new Set(seen).size]).toEqual([limit, 21, 21]);
  }
});

test.each([
  ['state=dead', ['fails']],
  ['state=delivered&action=webhook', ['fine']],
  ['state=logged', ['told']],
  ['state=shadow', ['shade']],
  ['state=parked', ['lane']],
  ['state=skipped', []],
  ['endpoint=bad', ['fails', 'lane', 'told']],
  ['endpoint=good', ['fine', 'shade']],
  ['endpoint=good&state=delivered', ['fine']],
  ['endpoint=busy', ['again']],
  ['endpoint=nowhere', []],
  ['action=note', ['fine']],
  ['entity_type=Other', []],
])('by %s', async (query, observers) => {
  const found = await list(`?${query}`);
  expect([...new Set(found.map(({ observer }) => observer))].sort()).toEqual(observers);
  expect(found.length).toBe(observers.length * 3);
});

test('by time, from a moment on and before one', async () => {
  const all = await list('?observer=fails');
  const times = all.map(({ at }) => at).sort();
  const from = encodeURIComponent(times[1] ?? '');
  // The API takes milliseconds: the moment itself may lie a part of one before.
  const later = await list(`?observer=fails&since=${from}`);
  const sooner = await list(`?observer=fails&until=${from}`);
  expect(later.length + sooner.length).toBe(3);
  expect(await list('?since=2999-01-01T00:00:00Z')).toEqual([]);
  expect((await list('?until=2999-01-01T00:00:00Z')).length).toBe(21);
});

test('a bound token sees what is within its bounds', async () => {
  expect(new Set(keys(await list('', as(TENANT))))).toEqual(new Set(['1']));
  expect(new Set((await list('', as(OBSERVER))).map(({ observer }) => observer))).toEqual(new Set(['fails']));
  expect(await list('?observer=fine', as(OBSERVER))).toEqual([]);
  expect(await list('?entity_key=2', as(TENANT))).toEqual([]);
});

test.each(['state=lost', 'limit=0', 'cursor=eyJjaGFuZ2UiOjF9', 'since=yesterday', 'observer=', 'nobody=1'])(
  '%s is refused',
  async (query) => {
    expect((await api(`GET /deliveries?${query}`)).status).toBe(400);
  },
);

test('what people do about one moves it to its next state', async () => {
  const [id] = (await list('?observer=fails&entity_key=3')).map((one) => one.id);
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'discarded' where id = $1", [id]);
  expect(await list('?observer=fails&entity_key=3')).toMatchObject([{ state: 'discarded' }]);
  await database.query(
    `insert into observers.attempt (change_number, observer, action, attempt, outcome, duration_ms, finished_at, config_version)
     select change_number, observer, action, 2, 'succeeded', 1, now(), 1 from observers.dead_letter where id = $1`,
    [id],
  );
  expect(await list('?observer=fails&entity_key=3')).toMatchObject([{ state: 'delivered', attempts: 2 }]);
});
