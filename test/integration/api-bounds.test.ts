import { OPERATIONS, type Operation, type OperationName } from '../../src/admin/api/operations';
import { apiOf, type Api } from '../support/api';
import { API_CASES, type ApiCase } from '../support/api-cases';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { deadLetters } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { untilLeading } from '../support/until';

const ACME = '11111111-aaaa-4000-8000-000000000001';
const OTHER = '22222222-bbbb-4000-8000-000000000002';
const [ALL, TENANT, OBSERVER, BOTH, EXPIRED] = ['all', 'tenant', 'observer', 'both', 'expired'].map((name) => `CANARY-${name}-0123456789`);
const TOKENS = [
  `write:${ALL}`,
  `write:${TENANT};tenant=${ACME.toUpperCase()}`,
  `write:${OBSERVER};observer=ship`,
  `write:${BOTH};tenant=${ACME};observer=ship;expires=2999-01-31T00:00:00Z`,
  `write:${EXPIRED};expires=2020-01-31T00:00Z`,
].join(',');
const FILE = `
version: 1
observers:
  - { name: ship, entity: Order, actions: [{ type: log, name: webhook }] }
  - { name: bill, entity: Order, actions: [{ type: log, name: webhook }] }
  - { name: none, entity: Nothing, actions: [{ type: log, name: webhook }] }
`;

let database: TestDatabase;
let service: TestService;
const callers = {} as Record<'all' | 'tenant' | 'observer' | 'both' | 'expired', Api>;
/** Dead letters: of ship, of bill; each of acme first and of the other tenant then. */
let ship: string[];
let bill: string[];
/** Their changes, in the same order. */
let changes: { ship: number[]; bill: number[] };

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestService(database.url, {
    file: FILE,
    env: { OBSERVERS_API_TOKENS: TOKENS, OBSERVERS_API_RATE: '100000/s' },
  });
  await untilLeading(service.streams.main);
  for (const [name, token] of Object.entries({ all: ALL, tenant: TENANT, observer: OBSERVER, both: BOTH, expired: EXPIRED }))
    callers[name as keyof typeof callers] = apiOf(service, { authorization: `Bearer ${token}` });
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});
beforeEach(async () => {
  for (const table of ['observers.dead_letter', 'observers.pending_delivery', 'observers.paused_observer', 'core.tb_entity_change_log'])
    await database.query(`delete from ${table}`);
  ship = await deadLetters(database, 2, { observer: 'ship' });
  bill = await deadLetters(database, 2, { observer: 'bill' });
  const rows = await database.query<{ number: string }>('select change_number as number from observers.dead_letter order by 1');
  const numbers = rows.map(({ number }) => Number(number));
  changes = { ship: numbers.slice(0, 2), bill: numbers.slice(2) };
  for (const [i, tenant] of [ACME, OTHER, ACME, OTHER].entries())
    await database.query('update core.tb_entity_change_log set tenant_id = $1 where pk_entity_change_log = $2', [tenant, numbers[i]]);
});

const UNKNOWN = '4b7a3c1e-0000-4000-8000-000000000001';
const caseOf = (name: OperationName): ApiCase => API_CASES[name]({ letter: ship[0] ?? '', change: changes.ship[0] ?? 0 });

describe.each(Object.keys(OPERATIONS) as OperationName[])('%s', (name) => {
  test.each([
    ['tenant', ['tenant']],
    ['observer', ['observer']],
    ['both', ['tenant', 'observer']],
  ] as const)('asked with a token that is bound (%s) is answered only where it keeps to the bounds', async (who, kinds) => {
    const { within = [] }: Operation = OPERATIONS[name];
    const { route, json } = caseOf(name);
    const { status, body } = await callers[who](route, json === undefined ? {} : { json });
    const kept = kinds.every((kind) => within.includes(kind));
    expect([status < 300, status]).toEqual(kept ? [true, status] : [false, 403]);
    if (!kept) expect(body['detail']).toMatch(/the token is bound/);
  });

  test('is not answered with a token that has expired', async () => {
    const { route, json } = caseOf(name);
    const { status, body } = await callers.expired(route, json === undefined ? {} : { json });
    expect([status, body['detail']]).toEqual([401, 'this token has expired']);
  });
});

const idsOf = async (who: keyof typeof callers, route: string): Promise<string[]> =>
  (await callers[who]<{ items: { id: string }[] }>(route)).body.items.map(({ id }) => id).sort();

test('lists hold what is within the bounds, and counts count it', async () => {
  const items = { all: [...ship, ...bill], tenant: [ship[0], bill[0]], observer: ship, both: [ship[0]] };
  for (const [who, expected] of Object.entries(items) as [keyof typeof items, string[]][]) {
    expect([who, await idsOf(who, 'GET /dlq')]).toEqual([who, [...expected].sort()]);
    expect([who, (await callers[who]('GET /dlq/stats')).body['count']]).toEqual([who, expected.length]);
  }
  expect((await idsOf('all', 'GET /events')).length).toBe(4);
  expect((await idsOf('tenant', 'GET /events')).length).toBe(2);
  const found = async (who: keyof typeof callers): Promise<unknown[]> =>
    (await callers[who]<{ found: unknown[] }>('GET /search?q=Order')).body.found;
  expect([(await found('all')).length, (await found('tenant')).length]).toEqual([4, 2]);
  const names = (await callers.observer<{ observers: { name: string }[] }>('GET /observers')).body.observers.map(({ name }) => name);
  expect(names).toEqual(['ship']);
});

test('pages of a list within bounds hold all of it once', async () => {
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await callers.tenant<{ items: { id: string }[]; next: string | null }>(`GET /dlq?limit=1${query}`);
    seen.push(...body.items.map(({ id }) => id));
    cursor = body.next;
  }
  expect(seen.sort()).toEqual([ship[0], bill[0]].sort());
});

test('what lies outside of the bounds is not there, and is not changed', async () => {
  const outside: Record<'tenant' | 'observer' | 'both', ApiCase[]> = {
    tenant: [
      ...[`GET /dlq/${ship[1]}`, `POST /dlq/${ship[1]}/retry`, `DELETE /dlq/${bill[1]}`, `GET /events/${changes.ship[1]}`].map((route) => ({
        route,
      })),
      { route: `POST /events/${changes.ship[1]}/replay`, json: { observers: ['ship'], dry_run: false } },
    ],
    observer: [
      ...[`GET /dlq/${bill[0]}`, `POST /dlq/${bill[0]}/retry`, `DELETE /dlq/${bill[0]}`, 'POST /observers/bill/pause', 'POST /observers/bill/resume'].map((route) => ({ route })), // prettier-ignore
      { route: `POST /events/${changes.ship[0]}/replay`, json: { observers: ['bill'], dry_run: false } },
      { route: `POST /events/${changes.ship[0]}/replay`, json: { observers: ['ship', 'bill'], dry_run: false } },
    ],
    both: [{ route: `GET /dlq/${bill[0]}` }, { route: `GET /dlq/${ship[1]}` }, { route: `DELETE /dlq/${ship[1]}` }],
  };
  for (const [who, cases] of Object.entries(outside) as [keyof typeof outside, ApiCase[]][])
    for (const { route, json } of cases) {
      const { status, body } = await callers[who](route, json === undefined ? {} : { json });
      expect([who, route, status, body['detail']]).toEqual([who, route, 404, expect.stringMatching(/^there is no /)]);
    }
  expect(await database.query('select from observers.pending_delivery')).toEqual([]);
  expect(await database.query('select from observers.paused_observer')).toEqual([]);
  expect(await database.query('select from observers.dead_letter where resolved_at is not null')).toEqual([]);
  expect((await callers.tenant(`GET /dlq/${UNKNOWN}`)).status).toBe(404);
});

test('an event is explained by the observers to which the token is bound, and is none where nothing of theirs came of it', async () => {
  const all = (await callers.all<{ observers: { name: string }[] }>(`GET /events/${changes.ship[0]}`)).body.observers;
  expect(all.map(({ name }) => name)).toEqual(['ship', 'bill', 'none']);
  const seen = (await callers.observer<{ observers: { name: string }[] }>(`GET /events/${changes.ship[0]}`)).body.observers;
  expect(seen.map(({ name }) => name)).toEqual(['ship']);
  const [other] = await database.query<{ number: string }>(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Other', '1', 'INSERT', '{}')
     returning pk_entity_change_log as number`,
  );
  expect((await callers.observer(`GET /events/${other?.number}`)).status).toBe(404);
  expect((await callers.all(`GET /events/${other?.number}`)).status).toBe(200);
  // It is of no tenant, and so of none that a token is bound to.
  expect((await callers.tenant(`GET /events/${other?.number}`)).status).toBe(404);
});

test("a bound token of the API does not send by somebody else's dry run", async () => {
  const answer = await callers.observer(`POST /events/${changes.bill[0]}/replay`, { json: { token: 'replay.of-somebody.else' } });
  expect([answer.status, answer.body['detail']]).toEqual([403, expect.stringMatching(/sends without the token/)]);
});
