import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';

let database: TestDatabase;
let program: Program;

const file = `version: 1
observers:
  - { name: notify, entity: Order, actions: [{ type: log }] }
  - { name: books, entity: Order, actions: [{ type: log }] }
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
    expect(err).toMatch(/there is no observer "notfy": did you mean "notify"\?|there is no observer "notfy".*notify/);
    const known = await program.run([...command.split(' '), '--observer', 'notify']);
    expect(known.err).not.toContain('there is no observer');
  },
);

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
