import { createTestDatabase } from '../support/database';

test('the tests run on the version of PostgreSQL that the run names, or else on one that we support', async () => {
  const database = await createTestDatabase({ migrate: false });
  const [row] = await database.query<{ major: string }>("select split_part(current_setting('server_version'), '.', 1) as major");
  await database.drop();
  if (process.env['TEST_POSTGRES_VERSION'] === undefined) expect(Number(row?.major)).toBeGreaterThanOrEqual(14);
  else expect(row?.major).toBe(process.env['TEST_POSTGRES_VERSION']);
});
