import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OPERATIONS, type Operation, type OperationName } from '../../src/admin/api/operations';
import { apiOf, type Api } from '../support/api';
import { API_CASES } from '../support/api-cases';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { deadLetters } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { until, untilLeading, untilRows } from '../support/until';

const [READ, WRITE] = ['CANARY-read-0123456789', 'CANARY-write-0123456789'];
const env = { OBSERVERS_API_TOKENS: `read:${READ},write:${WRITE}`, OBSERVERS_API_RATE: '100000/s' };

let database: TestDatabase;
let receiver: Receiver;
let leader: TestService;
let standby: TestService;
let atLeader: Api;
let atStandby: Api;

const FILE = (url: string): string => `
version: 1
observers:
  - { name: ship, entity: Order, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }
endpoints:
  hook: { url: "${url}/hook", allow_addresses: [loopback], circuit_breaker: { minimum: 2, open_for: 1h } }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  leader = await startTestService(database.url, { file: FILE(receiver.url), env });
  await untilLeading(leader.streams.main);
  standby = await startTestService(database.url, { file: FILE(receiver.url), env });
  await until(() => standby.streams.main.state === 'standing by');
  const headers = { authorization: `Bearer ${WRITE}` };
  [atLeader, atStandby] = [apiOf(leader, headers), apiOf(standby, headers)];
});
afterEach(async () => {
  await standby.stop();
  await leader.stop();
  await receiver.close();
  await database.drop();
});

const holder = (): string => leader.streams.main.holder;
const problem = (kind: string): string => `urn:fraiseql-observers:problem:${kind}`;

test('every route is answered by an instance that stands by as by the one that leads', async () => {
  for (const name of Object.keys(OPERATIONS) as OperationName[]) {
    const answers: [number, number | null][] = [];
    for (const api of [atLeader, atStandby]) {
      await database.query('delete from observers.pending_delivery');
      await database.query('delete from observers.dead_letter');
      const [letter = ''] = await deadLetters(database, 1, { observer: 'ship' });
      const [row] = await database.query<{ change: string }>('select change_number as change from observers.dead_letter');
      const { route, json } = API_CASES[name]({ letter, change: Number(row?.change) });
      const { status, headers, body } = await api(route, json === undefined ? {} : { json });
      answers.push([status, name === 'circuitBreakers' ? (body['breakers'] as object[]).length : null]);
      const { leader: needed }: Operation = OPERATIONS[name];
      // A look at a reset needs nobody.
      const passed = api === atStandby && needed === true && name !== 'resetCheckpoint';
      expect([name, headers['x-observers-answered-by']]).toEqual([name, passed ? holder() : undefined]);
    }
    expect(answers[1]).toEqual(answers[0]);
    expect([name, [200, 202].includes(answers[0]?.[0] ?? 0)]).toEqual([name, true]);
  }
});

test('closed breakers too are known wherever one asks, and one is closed from anywhere', async () => {
  receiver.answer = (_request, response) => void response.writeHead(500).end();
  await database.query("insert into core.tb_entity_change_log (object_type, object_key, modification_type) select 'Order', i::text, 'INSERT' from generate_series(1, 6) i"); // prettier-ignore
  const state = async (): Promise<unknown> => (await atStandby('GET /circuit-breakers')).body['breakers'];
  await until(async () => JSON.stringify(await state()).includes('"state":"open"'));
  expect((await atStandby('POST /circuit-breakers/hook/reset', { json: { reason: 'mended' } })).body).toEqual({ name: 'hook', state: 'closed', changed: true }); // prettier-ignore
  expect((await atStandby('GET /circuit-breakers')).body).toMatchObject({
    source: 'the instance that leads',
    breakers: [{ name: 'hook', state: 'closed' }],
  });
  const [first] = (await atStandby<{ items: object[] }>('GET /operations')).body.items;
  expect(first).toMatchObject({ what: expect.stringMatching(/^breaker: reset/) as string, who: expect.stringMatching(/^api token /) as string }); // prettier-ignore
});

test('a reload is done here and by the leader, whose answer it is; what is wrong there is told', async () => {
  const changed = FILE(receiver.url).replace('name: ship', 'name: send');
  standby.rewrite(changed);
  leader.rewrite(changed);
  const answer = await atStandby('POST /reload');
  expect(answer).toMatchObject({ status: 200, body: { effective: 'now', added: ['send'], removed: ['ship'] } });
  const versions = [standby, leader].map(({ reloader }) => reloader.current.version);
  expect(versions).toEqual([answer.body['version'], answer.body['version']]);
  leader.rewrite('version: 1\nobservers: {}\n');
  expect(await atStandby('POST /reload')).toMatchObject({
    status: 422,
    headers: { 'x-observers-answered-by': holder() },
    body: { type: problem('invalid-configuration'), violations: [{}] },
  });
});

test('the checkpoint is moved from anywhere: the leader rests meanwhile, and goes on from there', async () => {
  const write = "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '1', 'INSERT')";
  await database.query(write);
  await receiver.waitFor(1);
  await untilRows(database, "select from observers.attempt where outcome = 'succeeded'", 1);
  await database.query('delete from observers.attempt');
  const look = await atStandby('POST /checkpoint/reset', { json: { dry_run: true, to: 'beginning' } });
  expect(look).toMatchObject({ status: 200, body: { performed: false, readAgain: 1, onRecord: 0, skipped: 0 } });
  const { token } = look.body;
  const done = await atStandby('POST /checkpoint/reset', { json: { token, reason: 'once more' } });
  expect(done).toMatchObject({ status: 200, headers: { 'x-observers-answered-by': holder() }, body: { performed: true, readAgain: 1 } });
  await receiver.waitFor(2);
  expect(await atStandby('POST /checkpoint/reset', { json: { token } })).toMatchObject({ status: 400, body: { type: problem('invalid-token') } }); // prettier-ignore
  await until(async () => (await atStandby('GET /status')).body['lag'] !== null && leader.streams.main.leads);
  expect((await atStandby('GET /checkpoint')).body).toMatchObject({ resets: [{ asked: 'beginning', reason: 'once more' }] });
  expect((await atStandby('GET /operations?what=checkpoint')).body).toMatchObject({ items: [{ what: 'checkpoint: reset' }] });
  await database.query(write.replace("'1'", "'2'"));
  await receiver.waitFor(3);
});

test('a token that may only look is no way to change anything by another instance', async () => {
  const look = apiOf(standby, { authorization: `Bearer ${READ}` });
  expect((await look('GET /circuit-breakers')).body['source']).toBe('the instance that leads');
  for (const route of ['POST /reload', 'POST /circuit-breakers/hook/reset']) expect([route, (await look(route)).status]).toEqual([route, 403]); // prettier-ignore
});

describe('where the leader cannot be reached', () => {
  let other: Server;
  let asked: { url: string; headers: IncomingHttpHeaders }[];
  let reply: () => [number, string];

  beforeEach(async () => {
    asked = [];
    reply = () => [200, 'hello'];
    other = createServer(({ url = '', headers }, response) => {
      asked.push({ url, headers });
      const [status, text] = reply();
      response.writeHead(status).end(text);
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => other.close(resolve)));

  /** Heartbeats would put it right: a trigger keeps it. */
  const advertise = (column: 'url' | 'host', value: string): Promise<unknown> =>
    database.query(`create or replace function observers.wrong_${column}() returns trigger language plpgsql as $$
      begin if new.id = '${holder()}' then new.${column} := '${value}'; end if; return new; end $$;
      create trigger wrong_${column} before insert or update on observers.listener for each row execute function observers.wrong_${column}();
      update observers.listener set in_flight = in_flight`);

  const refused = async (why: RegExp): Promise<void> => {
    const answer = await atStandby('POST /reload');
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' }, body: { type: problem('leader-unreachable') } });
    expect(answer.body['detail']).toContain(holder());
    expect(answer.body['detail']).toMatch(why);
    // Its heartbeat still tells of those that are not closed.
    const breakers = await atStandby('GET /circuit-breakers');
    expect([breakers.status, breakers.body['source']]).toEqual([200, 'last heartbeat of the leader']);
  };

  test('nobody listens there', async () => {
    await advertise('url', 'http://127.0.0.1:1');
    await refused(/ECONNREFUSED/);
  });

  test('somebody else listens there', async () => {
    const { port } = other.address() as AddressInfo;
    await advertise('url', `http://127.0.0.1:${port}`);
    await refused(/JSON/);
    expect(asked[0]).toMatchObject({ url: '/reload', headers: { 'x-observers-passed-on': holder(), authorization: `Bearer ${WRITE}` } });
    reply = () => [502, '{"error":"bad gateway"}'];
    await refused(/it answered 502/);
  });

  test('it does not know the token', async () => {
    const { port } = other.address() as AddressInfo;
    await advertise('url', `http://127.0.0.1:${port}`);
    reply = () => [401, '{}'];
    await refused(/does not know the token/);
  });

  test('it is the loopback address of another machine: nothing is sent to whoever listens on it here', async () => {
    const { port } = other.address() as AddressInfo;
    await advertise('url', `http://127.0.0.1:${port}`);
    await advertise('host', 'elsewhere');
    await refused(/loopback address of another machine/);
    expect(asked).toEqual([]);
  });

  test('a request goes round in no circle', async () => {
    await advertise('url', `http://${standby.address}`);
    await refused(/was passed on to this instance/);
  });
});
