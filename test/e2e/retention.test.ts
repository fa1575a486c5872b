import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { HISTORY, History } from '../support/retention';
import { asServiceRole } from '../support/roles';
import { eventually } from '../support/until';

let database: TestDatabase;
let history: History;
let program: Program;

beforeEach(async () => {
  database = await createTestDatabase();
  history = new History(database);
  program = programOn(database, 'version: 1\nobservers: []\n', { DATABASE_URL: asServiceRole(database.url), OBSERVERS_RETENTION: '1m' });
});
afterEach(async () => {
  program.remove();
  await database.drop();
});

test('one that is killed in the middle has lost nothing, and the next goes on to the end', async () => {
  const numbers = await history.changes(8_000, '2 days');
  await history.day(3, numbers.slice(0, 10));
  await history.passed('main');
  const needed = [numbers[0], numbers[4_000], numbers[7_999]];
  for (const change of needed) await database.query(HISTORY.deadLetter, [change]);
  const attempts = await history.attempts(numbers[0]);
  // Each transaction takes its time, so that it is hit within one.
  await database.query(`create function public.slow() returns trigger language plpgsql as $$ begin perform pg_catalog.pg_sleep(0.2); return null; end $$;
    create trigger slow after delete on core.tb_entity_change_log for each statement execute function public.slow()`);
  const running = program.launch(['retention', 'run', '--yes']);
  const left = await eventually(
    () => history.kept(),
    (kept) => kept.length < 8_000,
    30_000,
  );
  await running.end('SIGKILL');
  expect(left.length).toBeGreaterThan(1_000);
  expect(await history.kept()).toEqual(expect.arrayContaining(needed));
  await database.query('drop trigger slow on core.tb_entity_change_log');
  const { code, out } = await program.run(['retention', 'run', '--yes']);
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/changes +\d+/) as string });
  expect(await history.kept()).toEqual(needed);
  expect(await history.attempts()).toEqual(attempts);
}, 60_000);

test('the command says what is kept for how long, what keeps more than that, and who may remove it', async () => {
  const [change] = await history.changes(3, '2 days');
  await history.passed('main');
  await history.notBegun('second');
  await database.query(HISTORY.deadLetter, [change]);
  const status = await program.run(['retention', 'status']);
  expect(status.out).toMatch(/^changes +60 s +\d{4}-\d\d-\d\dT/m);
  expect(status.out).toMatch(/^dedup keys +their window/m);
  expect(status.out).toMatch(/stream second: it has not read all of it yet, the oldest of/);
  expect(status.out).toMatch(/1 open dead letter, the oldest of .* \(dlq stats\)/);
  expect((await program.run(['retention', 'run', '--yes'])).out).toMatch(/nothing to remove: .* still needed \(retention status\)/);
  await history.passed('second');
  expect(await program.json(['retention', 'run', '--yes'])).toEqual({ finished: true, removed: [{ what: 'change_log', count: 2 }] });
  expect(await history.kept()).toEqual([change]);
});

test.each([
  'OBSERVERS_RETENTION_LOG',
  'OBSERVERS_RETENTION_OPERATIONS',
  'OBSERVERS_RETENTION_VERSIONS',
  'OBSERVERS_RETENTION_DEAD_LETTERS',
])('a %s that is no duration is refused with its name and what is expected', async (variable) => {
  const wrong = programOn(database, 'version: 1\nobservers: []\n', { [variable]: 'a week' });
  const { code, err } = await wrong.run(['retention', 'status']);
  wrong.remove();
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(new RegExp(`${variable}.*a duration from`, 's')) as string });
});
