import { join } from 'node:path';
import { MIGRATIONS } from '../../migrations';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, run, type Result } from '../support/program';
import { containing } from '../support/texts';

const ROOT = join(__dirname, '../..');
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ migrate: false });
});
afterAll(() => database.drop());

const typeorm = (...args: string[]): Promise<Result> =>
  run(process.execPath, [require.resolve('typeorm/cli.js'), ...args, '-d', 'dist/ormconfig.js'], {
    cwd: ROOT,
    env: { ...BARE, DATABASE_URL: database.url },
  });

test("TypeORM's own command line lists the migrations, and runs them as migrate does", async () => {
  const names = MIGRATIONS.map((migration) => new migration().name);
  // A fresh database has no schema of ours for TypeORM's table.
  const pending = (await typeorm('migration:show')).out;
  expect(names.filter((name) => !pending.includes(`[ ] ${name}`))).toEqual([]);
  const { code, out } = await typeorm('migration:run');
  expect({ code, out }).toMatchObject({ code: 0, out: containing(`Migration ${names.at(-1)} has been executed`) });
  const shown = (await typeorm('migration:show')).out;
  expect(names.filter((name) => !new RegExp(`\\[X\\] \\d+ ${name}`).test(shown))).toEqual([]);
  expect(await database.query('select name from observers.migration order by id')).toEqual(names.map((name) => ({ name })));
});
