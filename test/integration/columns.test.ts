import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { atLeast, untilLeading, untilRead, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let service: Service | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table orders (id int primary key, status text, total numeric, secret text, card text, doc jsonb)');
});

afterEach(async () => {
  await service?.stop();
  service = null;
  await receiver.close();
  await database.drop();
});

const OBSERVERS = `
  - { name: any, entity: Order, on: update, actions: [{ type: log }] }
  - { name: status, entity: Order, on: [insert, update, delete], columns: [status], actions: [{ type: log }] }
  - { name: card, entity: "*", on: update, columns: [card, secret], actions: [{ type: log }] }
  - { name: every, entity: Order, on: update, ignore_unchanged: false, actions: [{ type: log }] }
`;
const start = async (capture: string, observers = OBSERVERS): Promise<void> => {
  const file = `version: 1
capture: [{ table: public.orders, entity: Order, columns: { exclude: [secret], mask: { card: drop } }${capture} }]
observers:
${observers.replaceAll('{URL}', receiver.url)}`;
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
/** Whoever was told of what this statement did, by name; once the stream has passed it. */
const told = async (sql: string, values: unknown[] = []): Promise<string[]> => {
  const [before] = await database.query<{ last: number }>(
    'select coalesce(max(pk_entity_change_log), 0)::float8 as last from core.tb_entity_change_log',
  );
  await database.query(sql, values);
  await untilRead(database);
  const rows = await database.query<{ observer: string }>(
    'select distinct observer from observers.attempt where change_number > $1 order by 1',
    [before!.last],
  );
  return rows.map(({ observer }) => observer);
};

test.each([
  ['', 'both images'],
  [', before: false', 'no before-image'],
])('an update reaches the observers of the columns that it changed, and one that changes nothing none: %s (%s)', async (capture) => {
  await start(capture);
  expect(await told("insert into orders values (1, 'new', 5, 's', '4111', '{}')")).toEqual(['status']);
  expect(await told("update orders set status = 'paid'")).toEqual(['any', 'every', 'status']);
  expect(await told('update orders set total = 6')).toEqual(['any', 'every']);
  expect(await told("update orders set total = 7, status = 'sent'")).toEqual(['any', 'every', 'status']);
  expect(await told('update orders set status = status, total = total')).toEqual(['every']);
  // What is excluded does not exist for observers; of what is masked its change is named.
  expect(await told("update orders set secret = 't'")).toEqual(['every']);
  expect(await told("update orders set card = '4222'")).toEqual(['any', 'card', 'every']);
  expect(await told('update orders set status = null')).toEqual(['any', 'every', 'status']);
  expect(await told(`update orders set doc = '{"a": 1}'`)).toEqual(['any', 'every']);
  expect(await told('delete from orders')).toEqual(['status']);
});

const WRITE = `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, object_data_before, updated_fields)
               values ('Order', '1', 'UPDATE', $1, $2, $3)`;
const OLD = '{"id":1,"status":"new"}';
const NEW = '{"id":1,"status":"paid"}';

test("an application's own rows are judged by what they say, and else by their images", async () => {
  await start('');
  expect(await told(WRITE, [NEW, OLD, null])).toEqual(['any', 'every', 'status']);
  expect(await told(WRITE, [OLD, OLD, null])).toEqual(['every']);
  expect(await told(WRITE, [NEW, null, ['status']])).toEqual(['any', 'every', 'status']);
  expect(await told(WRITE, [NEW, null, ['total']])).toEqual(['any', 'every']);
  // A list that is short of a column that was added since.
  expect(await told(WRITE, [NEW, OLD, []])).toEqual(['any', 'every', 'status']);
});

test('where neither names nor the before-image are there, the observers of columns have a dead letter, and the others the event', async () => {
  await start('');
  expect(await told(WRITE, [NEW, null, null])).toEqual(['any', 'every']);
  expect(await database.query('select observer, error, message from observers.dead_letter order by 1')).toEqual(
    ['card', 'status'].map((observer) => ({
      observer,
      error: 'condition',
      message: `the condition has no answer: columns: [${observer === 'card' ? 'card, secret' : 'status'}] needs the names of the changed columns or the before-image, and this update has neither`,
    })),
  );
});

test('a strict template that names what is not there is a dead letter at once, which says what; without strictness it is sent', async () => {
  const hook = (name: string, more: string): string =>
    `  - { name: ${name}, entity: Order, ${more}actions: [{ type: webhook, url: "{URL}/${name}", allow_addresses: [loopback], body: { total: "{{ data.toatl }}" } }] }\n`;
  await start(
    '',
    hook('strict', 'strict_templates: true, ') + hook('lenient', '') + hook('shadowed', 'mode: shadow, strict_templates: true, '),
  );
  await told("insert into orders values (1, 'new', 5)");
  const letters = await untilRows(database, 'select observer, error, message, attempts from observers.dead_letter', atLeast(1));
  expect(letters).toEqual([
    { observer: 'strict', error: 'template', message: containing('strict_templates: the event has no data.toatl'), attempts: 1 },
  ]);
  const [request] = await receiver.waitFor(1);
  expect([request?.path, receiver.requests.length]).toEqual(['/lenient', 1]);
  const shadowed = await database.query<{ message: string }>("select message from observers.attempt where observer = 'shadowed'");
  expect(shadowed[0]?.message).toContain('shadow: strict_templates: the event has no data.toatl');
});
