import { createTestDatabase, type TestDatabase } from '../support/database';
import type { Running } from '../support/program';
import { startReceiver, type Received, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let running: Running | null = null;

const fileOf = (...observers: string[]): string => `
version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers: [${observers.map((name) => `{ name: ${name}, entity: Order, actions: [{ type: webhook, endpoint: hook }] }`).join(', ')}]
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table orders (id int primary key)');
  program = programOn(database, fileOf('a'), { OBSERVERS_PORT: '0', OBSERVERS_LOG_FORMAT: 'json' });
});

afterEach(async () => {
  await running?.end('SIGTERM');
  running = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (env: Readonly<Record<string, string>> = {}): Promise<Running> => {
  running = program.launch(['start', '--apply'], env);
  await running.waitFor(/"msg":"leading"/);
  return running;
};
const by = (all: readonly Received[], name: string): Received[] =>
  all.filter(({ headers }) => String(headers['observers-cause']).startsWith(`${name}/`));
const arrives = (name: string): Promise<unknown> => receiver.waitFor((all) => by(all, name).length === 1);

test('SIGHUP: another file is taken, a wrong one is refused with its place, and the service goes on', async () => {
  const service = await start();
  await database.query('insert into orders values (1)');
  await arrives('a');
  program.write(fileOf('b'));
  service.child.kill('SIGHUP');
  await service.waitFor(/"asked":"SIGHUP","version":\d+,"previous":\d+,"effective":"now","added":\["b"\],"removed":\["a"\]/);
  program.write(fileOf('b').replace('entity: Order }]', 'entitty: Order }]'));
  service.child.kill('SIGHUP');
  await service.waitFor(/observers.yaml:3:\d+ capture\[0\].entitty: unknown key \\"entitty\\"; did you mean \\"entity\\".*not reloaded/);
  await database.query('insert into orders values (2)');
  await arrives('b');
  expect(by(receiver.requests, 'a')).toHaveLength(1);
});

test('a SIGHUP while the service still loads its code does not end it, and is answered once it runs', async () => {
  program.write("process.kill(process.pid, 'SIGHUP'); exports.early = { module: class Early {} };", 'early.js');
  program.write(fileOf('a').replace('capture:', 'settings: { modules: ./early.js }\ncapture:'));
  running = program.launch(['--config', 'observers.yaml', 'start', '--apply']);
  const service = running;
  await service.waitFor(/"asked":"SIGHUP".*the configuration is reloaded/);
  expect(service.output().match(/is reloaded/g)).toHaveLength(1);
});

test('with OBSERVERS_WATCH the file need only be written; a wrong one is told once', async () => {
  const service = await start({ OBSERVERS_WATCH: 'true' });
  program.write('version: 2\n');
  await service.waitFor(/"asked":"file watch".*observers.yaml:1:10 version: expected 1/);
  program.write(fileOf('b'));
  await service.waitFor(/"asked":"file watch".*"added":\["b"\]/);
  await database.query('insert into orders values (1)');
  await arrives('b');
  expect(service.output().match(/not reloaded/g)).toHaveLength(1);
});
