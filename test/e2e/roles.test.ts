import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { runMigrations } from '../../src/database/migrator';
import { connect, createPool } from '../../src/database/postgres';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { onShadowedPath, runSteps } from '../support/cli/run-steps';
import { Story } from '../support/cli/story';
import { captureOf, createTestDatabase, onServer, type TestDatabase } from '../support/database';
import { MAIN, run, type Result } from '../support/program';
import { shadowPath, shadowsCalled } from '../support/shadows';
import { removeAll } from '../support/retention';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';

// A managed service gives no superuser: whoever owns the database may create roles, and no more.
const id = randomBytes(4).toString('hex');
const [owner, service, operator, reader, nobody] = ['owner', 'service', 'operator', 'reader', 'nobody'].map(
  (name) => `observers_test_${name}_${id}`,
) as [string, string, string, string, string];
const LOGINS = [service, operator, reader, nobody];
const OURS = ['observers_capture', 'observers_service', 'observers_operator', 'observers_reader'];

const PAGE = join(__dirname, '../../docs/roles.md');

let database: TestDatabase;
let folder: string;

// A server of its own, which has no role of ours yet.
let postgres: EmbeddedPostgres;
const shared = process.env['TEST_POSTGRES_URL'];

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ dataDir: mkdtempSync(join(tmpdir(), 'observers-roles-server-')), settings: { fsync: 'off' } });
  process.env['TEST_POSTGRES_URL'] = postgres.url;
});

afterAll(async () => {
  process.env['TEST_POSTGRES_URL'] = shared;
  await postgres.stop();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-roles-'));
  database = await createTestDatabase({ migrate: false });
  const name = new URL(database.url).pathname.slice(1);
  await database.query(
    `create role ${owner} login createrole password 'secret'; alter database ${name} owner to ${owner}; alter schema public owner to ${owner}`,
  );
  for (const role of LOGINS) await database.query(`create role ${role} login password 'secret'`);
});

afterEach(async () => {
  await database.drop();
  await onServer(async (server) => {
    for (const role of [...LOGINS, owner, ...OURS]) await server.query(`drop role if exists ${role}`);
  });
  rmSync(folder, { recursive: true });
});

const as = (role: string): string => {
  const url = new URL(database.url);
  [url.username, url.password] = [role, 'secret'];
  return url.toString();
};

const call = (role: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> =>
  run(process.execPath, [MAIN, ...args], { cwd: folder, env: { PATH: process.env['PATH'], DATABASE_URL: as(role), ...env } });

async function prepare(): Promise<void> {
  await runMigrations(as(owner));
  const applied = await call(owner, ['roles', 'apply', '--yes']);
  expect(applied).toMatchObject({ code: 0, out: containing('created: observers_capture') });
  await database.query(
    `grant observers_service to ${service}; grant observers_operator to ${operator}; grant observers_reader to ${reader}`,
  );
}

async function capture(...tables: readonly string[]): Promise<void> {
  for (const table of tables) await database.query(`alter table ${table} owner to ${owner}`);
  const client = await connect(as(owner), 'test');
  await applyCapture(
    client,
    await planCapture(
      client,
      tables.map((table) => captureOf(table)),
    ),
  );
  await client.end();
}

/** Of a table's owner, or of the schema's. */
const OWNERS = /^(migrate|capture|roles|doctor)/;

test('the owner may create roles and is no superuser; a service, an operator and a reader that own nothing do their work, and whoever may create in public has nothing of theirs called', async () => {
  await shadowPath(database, nobody);
  await prepare();
  expect(await call(owner, ['roles', 'plan'])).toMatchObject({ out: containing('nothing is missing') });
  const story = await Story.begin(database, as(service), () => capture('public.orders'));
  story.writeFiles(folder);
  await database.query(`create table customers (id int primary key, name text); alter table customers owner to ${owner}`);
  // No role of ours may read a table of the users: what a backfill needs of one is granted as the command says.
  const refused = await call(operator, ['backfill', 'run', 'public.orders', '--observer', 'notify', '--dry-run']);
  await database.query(/^→ Run as an administrator: (.*)$/m.exec(refused.err)![1]!);
  const looks = [
    'status',
    'search',
    'debug-event',
    'why',
    'tail',
    'audit list',
    'dlq list',
    'dlq show',
    'checkpoint show',
    'lanes list',
    'config history',
    'retention status',
  ];
  try {
    const wrong = await runSteps(story, (args, env, command) =>
      call(
        OWNERS.test(command) ? owner : command === 'retention run' ? service : looks.includes(command) ? reader : operator,
        onShadowedPath(args),
        env,
      ),
    );
    expect(wrong).toEqual([]);
    const pool = createPool(as(service), 2);
    await removeAll(pool);
    await pool.end();
  } finally {
    await story.end();
  }
  expect(await shadowsCalled(database.client)).toBe(0);
}, 600_000);

test('whoever lacks a right is told the least that helps, never to join a superuser or the owner', async () => {
  await prepare();
  writeFileSync(join(folder, 'observers.yaml'), 'version: 1\nobservers: []\n');
  const told: [string, string[], RegExp][] = [
    [
      nobody,
      ['start'],
      new RegExp(
        `Migrate as the role "${owner}", which owns the tables: .* To run the service as "${nobody}": grant observers_service to "${nobody}"`,
      ),
    ],
    [
      nobody,
      ['status'],
      new RegExp(`→ Run as an administrator: grant observers_reader to "${nobody}"; to change something too: observers_operator`),
    ],
    [
      reader,
      ['start'],
      new RegExp(
        `the role ${reader} may not run the service: it lacks .*\n→ Run as an administrator: grant observers_service to "${reader}"`,
      ),
    ],
    [reader, ['observers', 'pause', 'x', '--reason', 'y'], /→/],
    [
      reader,
      ['checkpoint', 'reset', '--to', 'now', '--yes'],
      new RegExp(`permission denied for table .*\n→ Run as an administrator: grant observers_operator to "${reader}"`),
    ],
    [service, ['roles', 'apply', '--yes'], /nothing to do/],
  ];
  for (const [role, args, message] of told) expect(`${role} ${args.join(' ')}: ${await shown(role, args)}`).toMatch(message);
  expect(await shown(reader, ['doctor'])).toMatch(new RegExp(`grants .*the role ${reader} may look, and not run the service`));
  expect(await shown(service, ['doctor'])).toMatch(new RegExp(`grants .*the role ${service} may run the service`));
});

const shown = async (role: string, args: readonly string[]): Promise<string> => {
  const { out, err } = await call(role, args);
  return out + err;
};

test('what is too much is told with the statement that ends it; a migration renews what its tables need', async () => {
  await prepare();
  await database.query(
    `alter role observers_reader bypassrls; grant insert on core.tb_entity_change_log to observers_reader; grant observers_capture to ${owner}`,
  );
  await database.query('create table orders (id int primary key)');
  await database.capture('public.orders');
  // Whatever is captured now belongs to observers_capture: somebody gave these away.
  const [insert] = await database.query<{ name: string }>(
    "select proname::text as name from pg_proc where proname like 'capture\\_public\\_orders\\_%\\_insert'",
  );
  await database.query(
    `alter function observers.${insert!.name}() owner to current_user; alter function observers.capture_chain(bigint, bigint) owner to current_user`,
  );
  const plan = await shown(owner, ['roles', 'plan']);
  expect(plan).toContain('-- too much: observers_reader is bypassrls\n-- alter role observers_reader nobypassrls;');
  expect(plan).toContain(
    '-- too much: observers_reader has insert on core.tb_entity_change_log\n-- revoke insert on core.tb_entity_change_log from observers_reader;',
  );
  expect(plan).toMatch(
    new RegExp(
      `-- too much: observers\\.${insert!.name}\\(\\) belongs to the superuser \\w+: .*\n-- alter function observers\\.${insert!.name}\\(\\) owner to observers_capture;`,
    ),
  );
  expect(plan).toMatch(
    new RegExp(
      `-- too much: observers\\.capture_chain\\(bigint, bigint\\) belongs to the superuser \\w+: .*\n-- alter function .* owner to "${owner}";`,
    ),
  );
  for (const [, repair] of plan.matchAll(/-- too much: .*\n-- (.*);/g)) await database.query(repair!);
  expect(await shown(owner, ['roles', 'plan'])).not.toContain('too much');
  // A table of a later version, made by its migration.
  await database.query(
    `delete from observers.migration where name = 'AttemptPartitions1700000000021'; revoke all on observers.lease from observers_service`,
  );
  await runMigrations(as(owner));
  expect(await shown(owner, ['roles', 'plan'])).toContain('-- nothing is missing');
});

test('a reader is bound to its tenant by a policy on the log, as docs/roles.md says', async () => {
  await prepare();
  const [one, other] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
  const example = /```sql\n(alter table core\.tb_entity_change_log enable row level security;[\s\S]*?)```/.exec(
    readFileSync(PAGE, 'utf8'),
  )?.[1];
  await database.query(String(example).replaceAll('support_one', reader).replaceAll('11111111-1111-4111-8111-111111111111', one));
  await database.query(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, tenant_id) values ('Order', '1', 'INSERT', '${one}'), ('Order', '2', 'INSERT', '${other}')`,
  );
  const seen = async (role: string): Promise<number> => {
    const client = await connect(as(role), 'test');
    const { rows } = await client.query<{ n: number }>('select count(*)::int as n from core.tb_entity_change_log');
    await client.end();
    return rows[0]?.n ?? 0;
  };
  expect([await seen(reader), await seen(service), await seen(operator)]).toEqual([1, 2, 2]);
  const story = await startTestService(as(service));
  await story.stop();
});
