import { rmSync } from 'node:fs';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { installExample } from '../support/example';
import { BARE, launch, run, type Running } from '../support/program';
import { eventually } from '../support/until';

let folder: string;
let database: TestDatabase;
let application: Running | null = null;

beforeAll(async () => {
  folder = installExample('nest-app');
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key, status text)');
  expect(await run('npm', ['run', 'build'], { cwd: folder, env: BARE })).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await application?.end('SIGKILL');
  await database.drop();
  rmSync(folder, { recursive: true });
});

const start = (env: Readonly<Record<string, string>>): Running =>
  launch(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { ...BARE, PORT: '0', OBSERVERS_PORT: '0', OBSERVERS_LOG_FORMAT: 'json', DATABASE_URL: database.url, ...env },
  });

test('a row becomes a call of a provider of the application, which ends clean', async () => {
  application = start({});
  const output = await application.waitFor(/the application listens at (\S+)/);
  const address = /the application listens at (\S+)/.exec(output)?.[1];
  const shipments = async (): Promise<{ shipped: string[]; observers: string }> =>
    (await (await fetch(`${address}/shipments`)).json()) as { shipped: string[]; observers: string };
  await database.query("insert into orders values (7, 'new'), (8, 'new'); update orders set status = 'paid' where id = 7");
  const { observers } = await eventually(shipments, ({ shipped }) => shipped.length > 0);
  expect((await shipments()).shipped).toEqual(['7']);
  // The application's own log goes on, and the service's is JSON.
  expect(application.output()).toContain('Nest application successfully started');
  expect(application.output()).toContain('"msg":"started"');
  // The service's own routes are at its own port, and not among those of the application.
  expect((await fetch(`http://${observers}/health/live`)).status).toBe(200);
  expect((await fetch(`${address}/health/live`)).status).toBe(404);

  const ended = application;
  // Nest ends the process by the signal that it was sent, once all its hooks are through.
  expect((await application.end('SIGTERM')).code).toBeNull();
  application = null;
  expect(ended.output()).not.toContain('"level":"error"');
  expect(await database.query('select id from observers.listener')).toEqual([]);
  expect(await database.query("select expires_at = '-infinity' as free from observers.lease")).toEqual([{ free: true }]);
});

test('what is wrong with the file ends the start of the application, and says where', async () => {
  const { code, err } = await run(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { ...BARE, PORT: '0', DATABASE_URL: database.url, OBSERVERS_LEASE_TTL: 'soon' },
  });
  expect(code).toBe(1);
  expect(err).toContain('OBSERVERS_LEASE_TTL');
});
