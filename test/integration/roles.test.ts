import { MIGRATIONS } from '../../migrations';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { runMigrations } from '../../src/database/migrator';
import { connect } from '../../src/database/postgres';
import { OperatorError } from '../../src/event/errors';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver } from '../support/receiver';
import { startTestService } from '../support/service';
import { endpointOf, observerOf, startStream } from '../support/stream';
import { containing } from '../support/texts';

const ALL = MIGRATIONS.length;

// Roles belong to the whole server: names of a run's own, dropped when the database is gone.
const run = randomBytes(4).toString('hex');
const service = `observers_test_service_${run}`;
const application = `observers_test_app_${run}`;
const other = `observers_test_other_${run}`;
const ROLES = [service, application, other];

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase({ migrate: false });
  for (const role of ROLES) await database.query(`create role ${role} login password 'secret'`);
  await database.query(`create table public.orders (id bigint primary key, note text); alter table public.orders owner to ${service}`);
});

afterEach(async () => {
  // What they own lies in this database, and goes with it; then nothing keeps the roles.
  for (const role of ROLES) await database.query(`drop owned by ${role} cascade; drop role ${role}`);
  await database.drop();
});

const as = (role: string, url = database.url): string => {
  const changed = new URL(url);
  changed.username = role;
  changed.password = 'secret';
  return changed.toString();
};
const name = (): string => new URL(database.url).pathname.slice(1);
const ownSchemas = () => database.query(`create schema core authorization ${service}; create schema observers authorization ${service}`);
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

test('a role that owns the two schemas and the captured table needs nothing else: migrate, capture, deliver', async () => {
  await ownSchemas();
  const url = as(service);
  expect(await runMigrations(url)).toHaveLength(ALL);
  expect(await runMigrations(url)).toEqual([]);
  const client = await connect(url, 'test');
  await applyCapture(client, await planCapture(client, [captureOf('public.orders', { mask: { note: 'hash' } })]));
  await client.end();
  const receiver = await startReceiver();
  const stream = await startStream(url, [observerOf('all', endpointOf(`${receiver.url}/hook`))]);
  // The application knows nothing of us: it may write its table, and has no right in our schemas.
  await database.query(`grant insert on public.orders to ${application}`);
  const writer = new Client({ connectionString: as(application) });
  await writer.connect();
  await writer.query("insert into orders values (1, 'by the application')");
  await receiver.waitFor(1);
  await expect(writer.query('select from core.tb_entity_change_log')).rejects.toThrow('permission denied');
  await writer.end();
  await stream.stop();
  await receiver.close();
});

// Each lacks one thing; the remedy is what the administrator then runs, to the letter.
const LACKING: [what: string, prepare: () => string, statements: () => string[]][] = [
  ['both schemas, and the right to make them', () => '', () => [`grant create on database "${name()}" to "${service}"`]],
  [
    'one schema, and the right to make it',
    () => `create schema core authorization ${service}`,
    () => [`grant create on database "${name()}" to "${service}"`],
  ],
  [
    'any right in the schema observers',
    () => `create schema core authorization ${service}; create schema observers`,
    () => [`grant usage, create on schema observers to "${service}"`],
  ],
  [
    'CREATE in the schema core',
    () => `create schema observers authorization ${service}; create schema core; grant usage on schema core to ${service}`,
    () => [`grant usage, create on schema core to "${service}"`],
  ],
  [
    'rights in both schemas',
    () => 'create schema observers; create schema core',
    () => [`grant usage, create on schema core to "${service}"`, `grant usage, create on schema observers to "${service}"`],
  ],
];

test.each(LACKING)('migrate without %s names exactly the grant, and with it all is well', async (_what, prepare, statements) => {
  await database.query(prepare());
  const error = await failure(runMigrations(as(service)));
  expect(error).toBeInstanceOf(OperatorError);
  const { message, remedy } = error as OperatorError;
  expect(message).toMatch(/^the role observers_test_service_\w+ may not prepare the database: (permission denied|must be owner)/);
  expect(remedy).toBe(`Run as an administrator: ${statements().join('; ')}`);
  await database.query(statements().join('; '));
  expect(await runMigrations(as(service))).toHaveLength(ALL);
});

const ADOPTED =
  (): string => `create schema core; create schema observers authorization ${service}; grant usage, create on schema core to ${service}, ${other};
  set role ${other}; create table core.tb_entity_change_log (pk_entity_change_log bigint generated by default as identity primary key,
    id uuid not null default gen_random_uuid(), object_type text not null, modification_type text not null, object_data jsonb, created_at timestamptz not null default now());
  reset role`;

test('a change log that another role made is migrated by that role: nobody is told to join it', async () => {
  await database.query(ADOPTED());
  const error = (await failure(runMigrations(as(service)))) as OperatorError;
  expect(error.remedy).toBe(`Migrate as the role "${other}", which owns the tables: fraiseql-observers migrate`);
  await database.query(`alter schema observers owner to ${other}; alter schema core owner to ${other}`);
  expect(await runMigrations(as(other))).toHaveLength(ALL);
});

test('a role that did not migrate is told who may, and what it needs to run the service; then it does', async () => {
  await ownSchemas();
  await runMigrations(as(service));
  const error = (await failure(runMigrations(as(other)))) as OperatorError;
  expect(error).toBeInstanceOf(OperatorError);
  expect(error.remedy).toBe(
    `Migrate as the role "${service}", which owns the tables: fraiseql-observers migrate. To run the service as "${other}": grant observers_service to "${other}"`,
  );
  await database.query(`grant observers_service to "${other}"`);
  expect(await runMigrations(as(other))).toEqual([]);
  const running = await startTestService(as(other));
  await running.stop();
});

test('a table of somebody else can be compared, and capture apply says that it needs its owner', async () => {
  await ownSchemas();
  await runMigrations(as(service));
  await database.query(`alter table public.orders owner to ${other}`);
  const client = await connect(as(service), 'test');
  const plans = await planCapture(client, [captureOf('public.orders')]);
  expect(plans[0]!.state).toBe('missing');
  expect(await failure(applyCapture(client, plans))).toMatchObject({
    message: containing('capture apply needs a role that owns the tables'),
  });
  await database.query(`grant ${other} to ${service}`);
  await applyCapture(client, await planCapture(client, [captureOf('public.orders')]));
  await client.end();
});
