import type { Service } from '../../src/lifecycle/start-service';
import type { EventExplanation } from '../../src/explain/explain';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, until, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;
let file = '';

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table orders (id int primary key)');
  file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers:
  - { name: bill, entity: Order, on: [insert], when: "id > 0", actions: [{ type: webhook, endpoint: hook }] }
  - { name: say, entity: "*", actions: [{ type: log }] }
`;
  program = programOn(database, file);
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (): Promise<void> => {
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
const insert = (from: number, to: number): Promise<unknown> =>
  database.query('insert into orders select generate_series($1::int, $2::int)', [from, to]);
const waiting = (): Promise<unknown[]> => database.query("select from observers.pending_delivery where state = 'paused'");

test('an observer is paused and resumed, by whom and why is shown, and nothing is lost', async () => {
  await start();
  const paused = await program.run(['observers', 'pause', 'bill', '--reason', 'the receiver moves']);
  expect(paused).toMatchObject({ code: 0, out: containing('fraiseql-observers observers resume bill') });
  expect((await program.run(['observers', 'pause', 'bill'])).out).toContain('paused already');
  // The service takes note of it within a second; until then it sends.
  let last = 0;
  await until(async () => (await insert(++last, last).then(waiting)).length > 0);
  await insert(last + 1, (last += 5));
  await untilRows(database, "select from observers.attempt where observer = 'say'", last);
  const sent = receiver.requests.length;
  const { out } = await program.run(['observers', 'list']);
  expect(out).toMatch(/bill +Order +insert +id > 0 +paused \d{4}-\d\d-\d\d \d\d:\d\d:\d\d by \S+: the receiver moves +\d+ +0/);
  expect(out).toMatch(/say +\* +insert, update, delete, custom +always +running +0 +0/);
  expect((await program.run(['status'])).out).toMatch(/paused +bill since .* by .*; \d+ wait in all/);
  const [{ number }] = (await database.query<{ number: string }>(
    "select max(change_number)::text as number from observers.pending_delivery where state = 'paused'",
  )) as [{ number: string }];
  const explained = await program.json<EventExplanation>(['debug-event', '--event-id', number]);
  expect(explained.observers[0]?.deliveries[0]).toMatchObject({
    state: 'paused',
    why: matching(/^its observer is paused since \S+Z by \S+: observers resume bill$/),
  });
  expect(receiver.requests).toHaveLength(sent);
  expect((await program.run(['observers', 'resume', 'bill'])).out).toMatch(/^bill goes on: \d+ deliver(y has|ies have) waited/);
  await receiver.waitFor(last);
  expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(last);
  expect(await program.run(['audit', 'verify'])).toMatchObject({ code: 0 });
});

test('it is paused with the service stopped, before it ever ran, and one that is not there is refused with the nearest name', async () => {
  expect(await program.run(['observers', 'pause', 'bil'])).toMatchObject({
    code: 5,
    err: containing('did you mean "bill"?'),
  });
  expect(await program.run(['observers', 'pause'])).toMatchObject({ code: 1 });
  expect(await program.json(['observers', 'pause', 'bill'])).toEqual({ observer: 'bill', paused: true, changed: true });
  await start();
  await insert(1, 3);
  await eventually(waiting, (rows) => rows.length === 3);
  expect(await program.json(['observers', 'list'])).toMatchObject([
    { name: 'bill', paused: { reason: null }, pending: 3 },
    { name: 'say', paused: null },
  ]);
  expect(await program.json(['observers', 'resume', 'bill'])).toEqual({
    observer: 'bill',
    paused: false,
    changed: true,
    waiting: 3,
    parked: 0,
    behind: 0,
  });
  await receiver.waitFor(3);
  expect(await program.json(['observers', 'resume', 'bill'])).toMatchObject({ changed: false });
  expect(await program.run(['observers', 'resume', 'nobody'])).toMatchObject({ code: 5 });
});

test('resuming counts what is sent, and what stays parked with what waits behind it', async () => {
  await database.capture('public.orders');
  await insert(1, 5);
  const pend = (key: number, state: string, lane: string): Promise<unknown> =>
    database.query(
      `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, strict)
       select pk_entity_change_log, 'bill', 'webhook', 'main', 'hook', $2, $3, 1, now(), true from core.tb_entity_change_log where object_key = $1`,
      [String(key), lane, state],
    );
  await pend(1, 'parked', 'a');
  await pend(2, 'waiting', 'a');
  await pend(3, 'waiting', 'a');
  await pend(4, 'paused', 'b');
  const resume = (format: string[]): Promise<{ code: number | null; out: string }> =>
    program.run(['observers', 'resume', 'bill', ...format]);
  await program.run(['observers', 'pause', 'bill']);
  const { out } = await resume([]);
  expect(out).toBe(
    'bill goes on: 1 delivery has waited, and is sent as soon as a service leads the stream\n' +
      '1 lane stays parked, and 2 deliveries wait behind its head   (lanes list)\n',
  );
  await pend(5, 'waiting', 'b');
  await program.run(['observers', 'pause', 'bill']);
  expect(JSON.parse((await resume(['--format', 'json'])).out)).toEqual({
    observer: 'bill', paused: false, changed: true, waiting: 2, parked: 1, behind: 2,
  }); // prettier-ignore
  expect((await resume([])).out).toBe('bill was not paused\n');
});
