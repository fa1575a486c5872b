import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLed } from '../../src/redrive/asked.sql';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { until } from '../support/until';

const PAGE = readFileSync(join(__dirname, '../../docs/logs.md'), 'utf8');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let database: TestDatabase;
let program: Program;

const FILE = (settings: string): string => `version: 1
settings: { ${settings} }
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: told, entity: Order, actions: [{ type: log }] }
  - { name: never, entity: Order, when: "false", actions: [{ type: log }] }`;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key)');
  program = programOn(database, FILE('log_level: silent, log_format: json'), { OBSERVERS_PORT: '0' });
});

afterEach(async () => {
  program.remove();
  await database.drop();
});

const linesIn = (output: string): Record<string, unknown>[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('an event is one line with every field that docs/logs.md lists, and no other, with and without a trace', async () => {
  const service = program.launch(['start', '--apply', '--log-level', 'info']);
  await service.waitFor(/"msg":"leading"/);
  await database.query(
    `begin; set local observers.traceparent = '00-${TRACE}-00f067aa0ba902b7-01'; insert into orders values (1); commit; insert into orders values (2)`,
  );
  await service.waitFor(/("msg":"event"[\s\S]*){2}/);
  await service.end('SIGTERM');
  const events = linesIn(service.output()).filter(({ msg }) => msg === 'event');
  const documented = [...PAGE.matchAll(/^\| `([a-z_]+)` /gm)].map(([, name]) => name);
  expect(documented).toContain('duration_ms');
  for (const event of events) expect(Object.keys(event)).toEqual(['level', 'time', ...documented, 'msg']);
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(PAGE)![1]!) as object;
  expect(Object.keys(events[0]!)).toEqual(Object.keys(example));
  expect(events.map(({ key, trace_id: trace }) => [key, trace])).toEqual([
    ['1', TRACE],
    ['2', null],
  ]);
  expect(events[0]).toMatchObject({
    level: 'info',
    entity: 'Order',
    kind: 'insert',
    tenant: null,
    matched: ['told'],
    not_matched: ['never'],
  });
});

test('the flag is stronger than the environment, and that than the file', async () => {
  const messagesOf = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown[]> => {
    const service = program.launch(['start', '--apply', ...args], env);
    await until(() => isLed(database.client));
    await service.end('SIGTERM');
    return linesIn(service.output()).map(({ msg }) => msg);
  };
  expect(await messagesOf([], {})).toEqual([]);
  expect(await messagesOf([], { OBSERVERS_LOG_LEVEL: 'info' })).toContain('leading');
  expect(await messagesOf(['--log-level', 'error'], { OBSERVERS_LOG_LEVEL: 'info' })).toEqual([]);
  expect(await messagesOf(['--log-level', 'info'], { OBSERVERS_LOG_LEVEL: 'error' })).toContain('leading');
});

test('a wrong level is told as of the command line, with the nearest one', async () => {
  const { code, err } = await program.run(['start', '--log-level', 'wanr']);
  expect(code).toBe(2);
  expect(err).toContain('command line OBSERVERS_LOG_LEVEL: expected one of trace, debug, info, warn, error, silent');
  expect(err).toContain('warn');
});

test('pretty lines are for people: no JSON, also where no terminal is', async () => {
  const service = program.launch(['start', '--apply', '--log-level', 'info'], { OBSERVERS_LOG_FORMAT: 'pretty' });
  await service.waitFor(/ info {2}leading stream=main epoch=\d+/);
  await service.end('SIGTERM');
  expect(linesIn(service.output())).toEqual([]);
});
