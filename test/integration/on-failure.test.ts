import { Alerter } from '../../src/alerts/alerter';
import { createPool } from '../../src/database/postgres';
import { Writable } from 'node:stream';
import pino from 'pino';
import { Webhook } from 'standardwebhooks';
import type { ObserverDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { startReceiver, status, type Receiver } from '../support/receiver';
import { endpointOf, FAST_RETRY, observerOf, SECRET, type StreamOptions } from '../support/stream';
import { eventually, untilRows } from '../support/until';
let people: Receiver;

const given = givenOrders('create table public.orders (id bigint primary key)', () => startReceiver(status(422, {}, 'no')));
beforeEach(async () => {
  people = await startReceiver();
});
afterEach(async () => {
  await people.close();
});

async function start(changed: Partial<ObserverDefinition>, options: StreamOptions = {}): Promise<void> {
  const endpoint = endpointOf(`${given.receiver.url}/hook`);
  const observer = observerOf('ship', endpoint, { kinds: ['insert'], retry: FAST_RETRY, ...changed });
  const later = observerOf('later', endpoint, { kinds: ['delete'], onFailure: 'alert' });
  await given.start([observer, later], { alerts: endpointOf(`${people.url}/alerts`), ...options });
}

const insert = (from: number, to: number): Promise<unknown> =>
  given.database.query('insert into orders select generate_series($1::int, $2::int)', [from, to]);
/** Another observer's failure is told: whatever there was to tell before has been told, or will not be. */
async function untilLater(): Promise<void> {
  await given.database.query('delete from orders where id = 1');
  await people.waitFor(() => alerts().some(({ observer }) => observer === 'later'));
}
const dead = (): Promise<unknown[]> => given.database.query('select from observers.dead_letter');
const alerts = (): { text: string; failures: number; observer: string }[] => people.requests.map(({ body }) => JSON.parse(body) as never);

test('log: what has failed for good is in the log and in the attempts, and nowhere else', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, new Writable({ write: (line: Buffer, _encoding, done) => (lines.push(String(line)), done()) }));
  await start({ onFailure: 'log' }, { logger });
  await insert(1, 3);
  await untilRows(given.database, "select from observers.attempt where outcome = 'dead'", 3);
  expect(await dead()).toEqual([]);
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    observer: 'ship',
    action: 'hook',
    entity: 'Order',
    key: '1',
    error: 'http_status',
    status: 422,
    attempts: 1,
    msg: 'a delivery has failed for good (on_failure: log): the receiver answered 422; trying again would give the same answer',
  });
  // It stays done over a restart: the attempt is the record.
  await given.stop();
  await start({ onFailure: 'log' });
  await insert(4, 4);
  await given.receiver.waitFor(4);
  expect(given.receiver.requests).toHaveLength(4);
});

test('alert: people are told once, signed, of all that has failed, and the dead letters are there', async () => {
  await start({ onFailure: 'alert' });
  await insert(1, 50);
  const [request] = await people.waitFor(1);
  await eventually(dead, (rows) => rows.length === 50);
  expect(new Webhook(SECRET).verify(request!.body, request!.headers)).toMatchObject({ type: 'observers.alert', observer: 'ship' });
  expect(alerts()[0]).toMatchObject({ last: { entity: { type: 'Order' }, error: 'http_status' } });
  expect(alerts()[0]?.text).toMatch(
    /^ship: \d+ deliver(y has|ies have) failed for good since .*; the last: hook for Order \d+: the receiver answered 422/,
  );
  await insert(51, 60);
  await eventually(dead, (rows) => rows.length === 60);
  await untilLater();
  expect(alerts().map(({ observer }) => observer)).toEqual(['ship', 'later']);
});

test('an alert mentions nobody, whatever a key or a receiver says, and its fields are exact', async () => {
  const pool = createPool(given.database.url, 1);
  const alerter = new Alerter(pool, endpointOf(`${people.url}/alerts`), pino({ level: 'silent' }));
  await alerter.start('main', []);
  const hostile = { entityKey: '<!channel> <https://e.example|click> @channel\nship: all is well', message: '<@U1> & @here \x1b[2J' };
  const record = { changeNumber: 1, eventId: '', action: 'hook', endpoint: 'hook', entityType: 'Order', error: 'http_status' } as const;
  alerter.failed({ ...record, id: 'x', observer: 'ship', status: 422, response: null, attempts: 1, collapsed: null, configVersion: 1, ...hostile });
  await people.waitFor(1);
  await alerter.stop();
  await pool.end();
  const [alert] = alerts();
  expect(alert).toMatchObject({ last: { entity: { key: hostile.entityKey }, message: hostile.message } });
  expect(alert!.text).toContain('&lt;!channel&gt; &lt;https://e.example|click&gt; @\u2060channel\\nship');
  expect(alert!.text).toContain('&lt;@\u2060U1&gt; &amp; @\u2060here \\x1b[2J');
  for (const sign of '<>\n\x1b') expect(alert!.text).not.toContain(sign);
});

test('an alert that cannot be sent is sent later, with what has come meanwhile', async () => {
  let broken = true;
  people.answer = (_request, response) => void response.writeHead(broken ? 503 : 204).end();
  await start({ onFailure: 'alert' });
  await insert(1, 5);
  await people.waitFor(1);
  broken = false;
  // As if the ten seconds until the next try were over.
  await untilRows(
    given.database,
    "update observers.alert set sent_at = '-infinity' where sent_at < now() - interval '40 s' returning 1",
    1,
  );
  await people.waitFor(2);
  expect(alerts()[1]?.failures).toBe(5);
});

test('what failed before a crash is told after it, and nothing is told twice', async () => {
  people.answer = status(503);
  await start({ onFailure: 'alert' });
  await insert(1, 3);
  await people.waitFor(1);
  await eventually(dead, (rows) => rows.length === 3);
  await given.stop();
  await given.database.query("update observers.alert set sent_at = '-infinity'");
  people.answer = status(204);
  await start({ onFailure: 'alert' });
  await people.waitFor(2);
  expect(alerts()[1]?.failures).toBe(3);
  await given.stop();
  await given.database.query("update observers.alert set sent_at = '-infinity'");
  await start({ onFailure: 'alert' });
  await untilLater();
  expect(alerts().map(({ observer }) => observer)).toEqual(['ship', 'ship', 'later']);
});

test('a parked lane is told too', async () => {
  await start({ onFailure: 'alert', ordering: 'strict' });
  await insert(1, 1);
  await people.waitFor(1);
  expect(alerts()[0]?.failures).toBe(1);
  expect(await given.database.query("select from observers.pending_delivery where state = 'parked'")).toHaveLength(1);
});
