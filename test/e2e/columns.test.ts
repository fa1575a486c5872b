import { createHash } from 'node:crypto';
import type { Audit } from '../../src/audit/verify';
import type { EventExplanation } from '../../src/explain/explain';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { startTestService, type TestService } from '../support/service';
import { containing } from '../support/texts';
import { untilLeading, untilRead } from '../support/until';

let database: TestDatabase;
let program: Program;
let service: TestService | null = null;

const FILE = `version: 1
capture:
  - { table: public.orders, entity: Order, columns: { exclude: [secret], mask: { card: drop } } }
endpoints:
  inside: { url: "http://10.1.2.3/{{ data.toatl }}" }
observers:
  - name: status
    entity: Order
    on: update
    columns: [status]
    when: "total > 5"
    actions: [{ type: log }]
  - name: typos
    entity: Order
    when: "statsu = 'paid' AND secret = 'x'"
    columns: [crad]
    actions: [{ type: webhook, endpoint: inside }]
`;
const WARNINGS = [
  '5:18 endpoints.inside.url: every delivery will be refused: 10.1.2.3 is not a public address but private; if it is meant, allow it: allow_addresses: [private] on endpoint inside',
  '5:38 endpoints.inside.url: Order has no column "toatl"; did you mean "total"?',
  '15:12 observers[1].when: Order has no column "statsu"; did you mean "status"?',
  '15:32 observers[1].when: "secret" is not in the change log: the capture of public.orders excludes it',
  '16:15 observers[1].columns[0]: Order has no column "crad"; did you mean "card"?',
];

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table orders (id int primary key, status text, total numeric, secret text, card text)');
  program = programOn(database, FILE, { OBSERVERS_PORT: '0' });
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await database.drop();
});

const start = async (file: string): Promise<void> => {
  await service?.stop();
  program.write(file);
  service = await startTestService(database.url, { file });
  await untilLeading(service.streams.main);
};
const passed = async (): Promise<void> => {
  await untilRead(database);
};
const explain = (change: number): Promise<EventExplanation> => program.json(['debug-event', '--event-id', String(change)]);

test('validate-config --database tells what the database does not have, each with its place; without it only what the file shows', async () => {
  const { code, out } = await program.run(['validate-config', '--database']);
  expect(out.split('\n').slice(0, -2)).toEqual(WARNINGS.map((line) => `warning observers.yaml:${line}`));
  expect(code).toBe(0);
  expect((await program.run(['validate-config'])).out.match(/^warning/gm)).toHaveLength(1);
  const { valid, problems } = await program.json<{ valid: boolean; problems: object[] }>(['validate-config', '--database']);
  expect([valid, problems.length]).toEqual([true, 5]);
  await database.query('alter table orders rename column total to sum');
  expect((await program.run(['validate-config', '--database'])).out).toContain('11:12 observers[0].when: Order has no column "total"');
});

test('strict_templates makes its templates an error of validate-config --database, and of nothing else', async () => {
  program.write(FILE.replace('  - name: typos\n', '  - name: typos\n    strict_templates: true\n'));
  const { code, err, out } = await program.run(['validate-config', '--database']);
  expect([code, err]).toEqual([2, containing('5:38 endpoints.inside.url: Order has no column "toatl"')]);
  expect(out).toContain('no column "statsu"');
  const json = await program.run(['validate-config', '--database', '--format', 'json']);
  expect(JSON.parse(json.out)).toMatchObject({ valid: false, problems: [{ line: 5, column: 38, path: 'endpoints.inside.url' }] });
  expect((await program.run(['validate-config'])).code).toBe(0);
});

test('capture plan tells it within its SQL, and beside its JSON', async () => {
  const { out, code } = await program.run(['capture', 'plan']);
  expect(code).toBe(0);
  for (const line of WARNINGS) expect(out).toContain(`-- warning observers.yaml:${line}\n`);
  const { out: json, err } = await program.run(['capture', 'plan', '--format', 'json']);
  expect(JSON.parse(json)).toMatchObject([{ table: 'public.orders', state: 'missing' }]);
  expect(err).toContain(`warning observers.yaml:${WARNINGS[2]}\n`);
});

test('a service that starts tells it, and starts; so does one that reloads', async () => {
  const running = program.launch(['start', '--apply'], { OBSERVERS_LOG_FORMAT: 'json' });
  await running.waitFor(/"msg":"leading"/);
  for (const line of WARNINGS) expect(running.output()).toContain(JSON.stringify(`observers.yaml:${line}`).slice(1, -1));
  program.write(FILE.replace('statsu', 'stauts'));
  running.child.kill('SIGHUP');
  await running.waitFor(/"level":"?(warn|40)"?[^\n]*no column \\"stauts\\"; did you mean \\"status\\"/);
  expect(await running.end('SIGTERM')).toMatchObject({ code: 0 });
});

test('a database that cannot be asked is told, and not taken for a right file', async () => {
  program.remove();
  program = programOn(database, FILE, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  expect((await program.run(['validate-config', '--database'])).code).toBe(3);
});

test('the gates are explained, counted as not matched, and previewed', async () => {
  const file = FILE.slice(0, FILE.indexOf('  - name: typos')).replace(/endpoints:[\s\S]*?observers:/, 'observers:');
  await start(file);
  await database.query("insert into orders values (1, 'new', 10)");
  await database.query('update orders set total = 11');
  await database.query('update orders set total = 11');
  await database.query("update orders set status = 'paid'");
  await passed();
  const why = async (change: number): Promise<unknown> =>
    (await explain(change)).observers.map(({ verdict, why, condition }) => [verdict, why, condition !== null]);
  expect(await why(1)).toEqual([['other kind', 'it is for update, and this is insert', false]]);
  expect(await why(2)).toEqual([['other columns', 'columns: none of status changed; changed: total', false]]);
  expect(await why(3)).toEqual([['nothing changed', 'nothing changed; ignore_unchanged', false]]);
  expect(await why(4)).toEqual([['matched', 'columns: status changed; the condition is met', true]]);
  expect((await program.run(['debug-event', '--event-id', '3'])).out).toContain('– status: nothing changed; ignore_unchanged');
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ changes: 4, notMatched: 3, delivered: 1, unaccounted: 0 });
  program.write(file.replace('    columns: [status]\n', '    ignore_unchanged: false\n'));
  const { observers } = await program.json<{ observers: object[] }>(['config', 'preview']);
  expect(observers).toMatchObject([
    { name: 'status', matched: 3, difference: { newlyMatched: { count: 2 }, noLongerMatched: { count: 0 } } },
  ]);
  const dry = await program.json(['replay', '--observer', 'status', '--from-change', '1', '--dry-run', '--config', 'observers.yaml']);
  expect(dry).toMatchObject({ count: 3 });
  expect((await program.run(['validate-config', '--detailed'])).out).toContain('update (also one that changes nothing)');
});

test('what an earlier release decided is explained and audited by the defaults of then, though the file stays the same', async () => {
  const file =
    'version: 1\ncapture: [{ table: public.orders, entity: Order }]\nobservers: [{ name: all, entity: Order, on: update, actions: [{ type: log }] }]\n';
  await start(file);
  await database.query('insert into orders values (1)');
  await database.query('update orders set id = id');
  await passed();
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ notMatched: 2, unaccounted: 0 });
  await service?.stop();
  // As releases recorded versions before ignore_unchanged: by the hash of the text. Such a release would have delivered the second change.
  await database.query('update observers.config_version set hash = $1', [createHash('sha256').update(file).digest('hex')]);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ notMatched: 1, unaccounted: 1, list: [{ changeNumber: 2 }] });
  expect((await explain(2)).observers).toMatchObject([{ name: 'all', verdict: 'matched' }]);
  service = null;
  await start(file);
  await database.query('update orders set id = id');
  await passed();
  expect(await program.json(['config', 'history'])).toMatchObject([
    { version: 2, source: file, current: true },
    { version: 1, source: file },
  ]);
  expect((await explain(3)).observers).toMatchObject([{ verdict: 'nothing changed' }]);
  expect((await explain(2)).observers).toMatchObject([{ verdict: 'matched' }]);
  expect(await program.json<Audit>(['audit', 'verify'])).toMatchObject({ notMatched: 2, unaccounted: 1 });
  expect((await program.run(['config', 'diff', '1', '2'])).out).toBe(
    'version 1 and version 2 are the same\nby defaults of different releases: ignore_unchanged: false and times compared as texts in version 1, ignore_unchanged: true and times compared as times in version 2\n',
  );
});
