import type { Finding } from '../../src/doctor/finding';
import type { Service } from '../../src/lifecycle/start-service';
import { type TestDatabase, connectAsApplication, createTestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, untilLeading, untilRows } from '../support/until';

const FILE = `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers: [{ name: say, entity: Order, actions: [{ type: log }, { type: webhook, url: "\${HOOK}" }] }]
`;

let database: TestDatabase;
let program: Program;
let service: Service | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table orders (id int primary key)');
  // Without HOOK: an operator's machine need not have the service's secrets.
  program = programOn(database, FILE);
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await database.drop();
});

const start = async (): Promise<void> => {
  service = await startTestService(database.url, {
    file: FILE,
    env: { HOOK: 'https://receiver.example/hook', OBSERVERS_AUDIT_INTERVAL: '100ms' },
  });
  await untilLeading(service.streams.main);
  // Before its first round the audit has nothing to say.
  await untilRows(database, 'select from observers.audit where complete_at is not null', 1);
};
const examine = async (): Promise<{ code: number; findings: Finding[] }> => {
  const { code, out, err } = await program.run(['doctor', '--format', 'json']);
  if (out === '') throw new Error(err);
  return { code, findings: JSON.parse(out) as Finding[] };
};
const about = (findings: readonly Finding[], check: string): Finding[] => findings.filter((finding) => finding.check === check);

test('a healthy service has nothing to be told', async () => {
  await start();
  const { code, out } = await program.run(['doctor']);
  expect(out).not.toMatch(/[✗!?]/);
  expect(out).toMatch(/✓ server +PostgreSQL \d+/);
  expect(out).toMatch(/✓ capture +the triggers of 1 table are what the observers file asks for/);
  expect(out).toContain('\n0 problems, 0 warnings\n');
  expect(code).toBe(0);
});

test('each repair that it prints, made as it stands, repairs what it found', async () => {
  await start();
  await database.query('alter table orders disable trigger all');
  await database.query('drop index core.tb_entity_change_log_xid');
  const { code, findings } = await examine();
  expect(code).toBe(1);
  expect(about(findings, 'capture')).toMatchObject([
    { state: 'problem', message: containing('public.orders'), repair: 'fraiseql-observers capture apply' },
  ]);
  const [index] = about(findings, 'indexes');
  expect(index).toMatchObject({ state: 'problem', message: 'core.tb_entity_change_log_xid is missing' });
  await database.query(index!.repair!);
  const applied = programOn(database, FILE, { HOOK: 'https://receiver.example/hook' });
  expect(await applied.run(['capture', 'apply', '--yes'])).toMatchObject({ code: 0, err: '' });
  applied.remove();
  expect((await examine()).findings.filter(({ state }) => state !== 'ok')).toEqual([]);
});

test('with the service stopped: nobody leads, what is paused, gone or twice as old as is kept', async () => {
  await database.query("insert into observers.paused_observer (stream, observer, paused_by) values ('main', 'say', 'ann')");
  await database.query("insert into observers.gone_endpoint (stream, endpoint, url_hash) values ('main', 'hook', 'x')");
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, created_at) values ('Order', '1', 'INSERT', now() - interval '30 days')",
  );
  const { code, findings } = await examine();
  expect(code).toBe(1);
  expect(about(findings, 'leader')).toMatchObject([{ state: 'problem', repair: 'fraiseql-observers start' }]);
  expect(about(findings, 'paused')).toMatchObject([{ state: 'warning', repair: 'fraiseql-observers observers resume say' }]);
  expect(about(findings, 'endpoint')).toMatchObject([{ state: 'warning', message: containing('hook has answered 410') }]);
  expect(about(findings, 'retention')).toMatchObject([{ state: 'warning', message: containing('twice as old as is kept') }]);
  expect(about(findings, 'lag')).toMatchObject([{ state: 'unknown', message: 'the stream has never been read' }]);
  expect(about(findings, 'capture')).toMatchObject([{ state: 'problem', repair: 'fraiseql-observers capture apply' }]);
});

test('dead rows and an invalid index are told with their statements; a migration that is pending with its command', async () => {
  await database.query("insert into observers.paused_observer select 'other', i::text, 'ann' from generate_series(1, 12000) i");
  await database.query('alter table observers.paused_observer set (autovacuum_enabled = false)');
  await database.query('delete from observers.paused_observer');
  await database.query('analyze observers.paused_observer');
  await database.query("update pg_index set indisvalid = false where indexrelid = 'core.tb_entity_change_log_xid'::regclass");
  await database.query("delete from observers.migration where name like 'PausedObservers%'");
  // PostgreSQL 14 keeps what a session counted until the next statement of that session.
  const examineNext = (): ReturnType<typeof examine> => database.query('select').then(examine);
  const found = await eventually(examineNext, ({ findings }) => about(findings, 'bloat').some(({ state }) => state === 'warning'));
  expect(about(found.findings, 'bloat')).toMatchObject([{ repair: 'vacuum (analyze) observers.paused_observer' }]);
  expect(about(found.findings, 'indexes')).toMatchObject([
    { state: 'problem', repair: 'reindex index concurrently core.tb_entity_change_log_xid' },
  ]);
  expect(about(found.findings, 'migrations')).toMatchObject([{ state: 'problem', repair: 'fraiseql-observers migrate' }]);
  await database.query('reindex index concurrently core.tb_entity_change_log_xid');
  expect(about((await examine()).findings, 'indexes')).toMatchObject([{ state: 'ok' }]);
});

test('with an observers file that cannot be read everything else is looked at, and it says what was not', async () => {
  await start();
  program.write('version: 1\nobservers: nonsense\nsettings: { stream: main }\n');
  const { findings } = await examine();
  expect(about(findings, 'leader')).toMatchObject([{ state: 'ok' }]);
  expect(about(findings, 'capture')).toMatchObject([{ state: 'warning', repair: 'fraiseql-observers capture remove public.orders' }]);
  program.remove();
  program = programOn(database, FILE);
  const elsewhere = programOn(database, 'version: 2');
  const { out } = await elsewhere.run(['doctor']);
  elsewhere.remove();
  expect(out).toMatch(/✓ leader/);
});

test('a capture function of a superuser is told, with a repair that makes it no less of a capture', async () => {
  await start();
  const [insert] = await database.query<{ name: string }>(
    "select proname::text as name from pg_proc where proname like 'capture\\_public\\_orders\\_%\\_insert'",
  );
  await database.query(`alter function observers.${insert!.name}() owner to current_user`);
  const [told, ...others] = about((await examine()).findings, 'roles');
  expect({ told, others }).toMatchObject({
    told: { state: 'warning', message: matching(`^observers.${insert!.name}\\(\\) belongs to the superuser `) },
    others: [],
  });
  // What is lacking stands before it.
  const [, lacking, statement] = /^(fraiseql-observers roles apply, then )?(alter function .*)$/.exec(told!.repair!)!;
  if (lacking !== undefined) expect(await program.run(['roles', 'apply', '--yes'])).toMatchObject({ code: 0 });
  await database.query(statement!);
  await database.query('insert into orders values (1)');
  expect(await database.query('select from core.tb_entity_change_log')).toHaveLength(1);
  expect(about((await examine()).findings, 'roles')).toEqual([]);
});

test('a role that only reads is told so, one that lacks rights what it lacks, and the rest is looked at', async () => {
  await start();
  await database.query(
    `create role doctor_reader login password 'reader'; grant usage on schema core, observers to doctor_reader; grant select on all tables in schema core, observers to doctor_reader`,
  );
  try {
    const url = new URL(database.url);
    url.username = 'doctor_reader';
    url.password = 'reader';
    const reader = programOn({ ...database, url: url.toString() }, FILE);
    const looks = await reader.run(['doctor']);
    expect(looks.out).toMatch(
      /! grants +the role "?doctor_reader"? may look, and not run the service\n +→ .*grant observers_service to "doctor_reader"\n/,
    );
    expect(looks).toMatchObject({ code: 0, err: '', out: matching(/✓ leader/) });
    await database.query('revoke select on observers.dead_letter_event from doctor_reader');
    const lacks = await reader.run(['doctor']);
    reader.remove();
    expect(lacks.out).toMatch(
      /✗ grants +the role "?doctor_reader"? lacks rights\n +→ fraiseql-observers roles apply, then grant observers_service to "doctor_reader"\n/,
    );
    expect(lacks).toMatchObject({ code: 1, err: '', out: matching(/✓ leader/) });
  } finally {
    await database.query('drop owned by doctor_reader; drop role doctor_reader');
  }
});

test('a transaction that was left open is named with its pid and the statement that ends it', async () => {
  const { readHoldups } = await import('../../src/doctor/server.sql');
  const idle = await connectAsApplication(database.url, 'test');
  await idle.query('begin');
  await idle.query("select 'left open'");
  const { rows } = await idle.query<{ pid: number }>('select pg_backend_pid() as pid');
  const held = await eventually(
    () => readHoldups(database.client, 0),
    (all) => all.some(({ name }) => name === String(rows[0]!.pid)),
  );
  expect(held.find(({ name }) => name === String(rows[0]!.pid))).toMatchObject({
    kind: 'transaction',
    query: 'select pg_backend_pid() as pid',
  });
  await idle.query('rollback');
  await idle.end();
});

test('what a service would refuse of the observers file is told with its place, whatever secrets are not at hand', async () => {
  await start();
  expect(about((await examine()).findings, 'file')).toEqual([
    { check: 'file', state: 'ok', message: 'the observers file is valid', repair: null },
  ]);
  const auth = 'auth: { type: oauth2, token_url: "http://auth.example/token", client_id: "${ID}", client_secret: "${SECRET}" }';
  program.write(
    `${FILE}endpoints: { shop: { url: "https://x.example/", headers: { authorization: x }, ${auth}, signing: { secrets: [whsk_x] } } }\n`,
  );
  const { code, findings } = await examine();
  expect(code).toBe(1);
  expect(about(findings, 'file').map(({ state, message, repair }) => [state, message.replace(/^.*observers\.yaml/, ''), repair])).toEqual([
    [
      'problem',
      matching(/^:5:\d+ endpoints\.shop\.headers\.authorization: auth \(oauth2\) sets the header/),
      'fraiseql-observers validate-config',
    ],
    [
      'problem',
      matching(/^:5:\d+ endpoints\.shop\.auth\.token_url: the client secret would go in clear/),
      'fraiseql-observers validate-config',
    ],
    ['problem', matching(/^:5:\d+ endpoints\.shop\.signing\.secrets\[0\]: expected whsk_/), 'fraiseql-observers validate-config'],
  ]);
  expect(about(findings, 'capture')).toMatchObject([{ state: 'ok' }]);
});

test('a database that was never migrated is told to be, and nothing is said of what is not there', async () => {
  await database.query('drop schema observers, core cascade');
  const { code, out } = await program.run(['doctor']);
  expect(code).toBe(1);
  expect(out).toMatch(/✗ migrations +the database is not prepared yet: none has been applied\n +→ fraiseql-observers migrate\n/);
  expect(out.match(/→/g)).toHaveLength(1);
  expect(out).toMatch(/\? indexes +not looked at: the database is not prepared yet/);
  expect(out).toContain('1 problem, 0 warnings');
});

const COMMANDS = ['status', 'metrics', 'dlq list', 'lanes resume --all --yes', 'observers pause say', 'config history', 'capture remove public.orders --yes', 'search x', 'roles plan', 'tail --no-follow']; // prettier-ignore

test.each([
  ['was never migrated', 'drop schema observers, core cascade', 'the database is not prepared yet', 'Run: fraiseql-observers migrate'],
  [
    'lacks a migration',
    "delete from observers.migration where name like 'SignsOfLife%'",
    'the database is not prepared for this release: 1 migration is pending, from SignsOfLife1700000000030 on',
    'Run: fraiseql-observers migrate',
  ],
  [
    'was migrated by a newer release',
    "insert into observers.migration (timestamp, name) values (1900000000000, 'Later1900000000000')",
    "the database's schema is newer than this program: it has Later1900000000000",
    'Run the version of fraiseql-observers that migrated it, or a later one.',
  ],
])('of a database that %s every command says so, and what to do', async (_state, statement, message, remedy) => {
  await database.query(statement);
  for (const command of COMMANDS) {
    const { code, out, err } = await program.run(command.split(' '));
    expect([command, code > 0, out, err]).toEqual([command, true, '', containing(message)]);
    expect([command, err]).toEqual([command, containing(`→ ${remedy}`)]);
  }
  expect((await program.run(['doctor'])).out).toMatch(/✗ migrations/);
});
