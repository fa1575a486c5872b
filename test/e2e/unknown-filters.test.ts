import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';

let database: TestDatabase;
let program: Program;

const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { billing: { url: "https://billing.example/" } }
observers:
  - { name: notify, entity: Order, actions: [{ type: log }] }
  - { name: books, entity: Order, actions: [{ type: webhook, endpoint: billing }] }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  program = programOn(database, file);
});

afterEach(async () => {
  program.remove();
  await database.drop();
});

/** A dead letter of an observer that the file no longer has. */
const died = (observer: string): Promise<unknown> =>
  database.query(
    `insert into observers.dead_letter (id, change_number, event_id, observer, action, stream, endpoint, entity_type, entity_key, error, message, attempts, config_version)
     values (gen_random_uuid(), 1, gen_random_uuid(), $1, 'log', 'main', 'log', 'Order', '1', 'timeout', 'no answer', 1, 1)`,
    [observer],
  );

test.each([['dlq list'], ['dlq stats'], ['dlq retry-all --dry-run'], ['dlq remove --dry-run'], ['lanes list'], ['lanes resume --yes']])(
  '%s of an observer that there is not is an error with the nearest name',
  async (command) => {
    const { code, err } = await program.run([...command.split(' '), '--observer', 'notfy']);
    expect(code).toBeGreaterThan(0);
    expect(err).toContain('there is no observer "notfy"; did you mean "notify"?');
    const known = await program.run([...command.split(' '), '--observer', 'notify']);
    expect(known.err).not.toContain('there is no observer');
  },
);

test.each([
  ['dlq list', '--action', 'webhok', 'there is no action "webhok"; did you mean "webhook"?'],
  ['dlq list', '--endpoint', 'biling', 'there is no endpoint "biling"; did you mean "billing"?'],
  ['dlq list', '--entity-type', 'Oder', 'there is no type of entity "Oder"; did you mean "Order"?'],
  ['dlq stats', '--endpoint', 'nothing-like-it', 'there is no endpoint "nothing-like-it"\n'],
  ['dlq remove --dry-run', '--action', 'lgo', 'there is no action "lgo"; did you mean "log"?'],
  ['lanes list', '--entity-type', 'order', 'there is no type of entity "order"; did you mean "Order"?'],
  ['search x', '--entity-type', 'Oder', 'there is no type of entity "Oder"; did you mean "Order"?'],
  ['debug-event --history 5', '--entity-type', 'Oder', 'there is no type of entity "Oder"; did you mean "Order"?'],
  ['tail --no-follow', '--observer', 'notfy', 'there is no observer "notfy"; did you mean "notify"?'],
  ['tail --no-follow', '--action', 'webhok', 'there is no action "webhok"; did you mean "webhook"?'],
  ['audit dismiss --all --yes', '--observer', 'notfy', 'there is no observer "notfy"; did you mean "notify"?'],
])('%s %s %s: what there is not is no empty list', async (command, flag, value, message) => {
  const { code, err } = await program.run([...command.split(' '), flag, value]);
  expect([code > 0, err]).toEqual([true, expect.stringContaining(message)]);
});

test.each([
  ['dlq list --entity-type Order', 'nothing in the dead letter queue matches'],
  ['lanes list --entity-type Order', 'no lane that matches is held up'],
  ['debug-event --history 5', 'no event in the change log matches'],
  ['config history', 'no service has run here yet, so there is no version on record'],
  ['operations list', 'nobody has changed anything'],
  ['operations list --what observr', 'nothing that people have changed matches'],
  ['backfill list', 'there has been none'],
  ['breakers list', 'unknown: no service leads the stream'],
])('%s says that there is nothing', async (command, message) => {
  expect(await program.run(command.split(' '))).toMatchObject({ code: 0, out: expect.stringContaining(message) as string });
});

test('an observer that only the queue knows is known', async () => {
  await died('retired');
  const { code, out } = await program.run(['dlq', 'list', '--observer', 'retired', '--error', 'connection']);
  expect([code, out.trim()]).toEqual([0, 'nothing in the dead letter queue matches']);
});

test('a kind of error that there is not is an error with the nearest one', async () => {
  const { code, err } = await program.run(['dlq', 'list', '--error', 'http_staus']);
  expect(code).toBeGreaterThan(0);
  expect(err).toMatch(/there is no kind of error "http_staus".*http_status/);
});
