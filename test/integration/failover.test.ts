import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startServiceProcess, type ServiceProcess } from '../support/service-process';
import { SECRET } from '../support/stream';
import { eventually } from '../support/until';

const TTL = 3_000;
const OBSERVERS = `version: 1
settings: { lease_ttl: ${TTL}ms }
capture:
  - { table: public.orders, entity: Order }
endpoints:
  sink: { url: "\${SINK_URL}", signing: { secrets: ["${SECRET}"] }, allow_addresses: [loopback] }
observers:
  - { name: all, entity: Order, actions: [{ type: webhook, endpoint: sink }] }
`;

let database: TestDatabase;
let receiver: Receiver;
let folder: string;
const processes: ServiceProcess[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  folder = mkdtempSync(join(tmpdir(), 'observers-failover-'));
  writeFileSync(join(folder, 'observers.yaml'), OBSERVERS);
  await database.query('create table public.orders (id bigint primary key, version int not null default 0)');
});

afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.signal('SIGCONT');
    await one.end();
  }
  await receiver.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const start = (): ServiceProcess => {
  const one = startServiceProcess(folder, { DATABASE_URL: database.url, SINK_URL: `${receiver.url}/hook` });
  processes.push(one);
  return one;
};
const said = (one: ServiceProcess, message: RegExp): Promise<unknown> =>
  eventually(
    () => one.log.map(({ msg }) => String(msg)),
    (lines) => lines.some((line) => message.test(line)),
  );

async function leaderAndStandBy(): Promise<[ServiceProcess, ServiceProcess]> {
  const leader = start();
  await said(leader, /^leading$/);
  const standBy = start();
  await said(standBy, /standing by/);
  return [leader, standBy];
}

const arrived = (): string[] =>
  receiver.requests.map(({ body }) => {
    const { data } = JSON.parse(body) as { data: { id: number; version: number } };
    return `${data.id} v${data.version}`;
  });

test('of two processes one leads; when it is killed the other delivers at once, and nothing is lost', async () => {
  const [leader, standBy] = await leaderAndStandBy();
  await database.query('insert into orders (id) select generate_series(1, 200)');
  await receiver.waitFor(50);
  await leader.end('SIGKILL');
  await database.query('insert into orders (id) values (1000)');
  const killed = performance.now();
  await receiver.waitFor((all) => all.some(({ body }) => body.includes('"key":"1000"')));
  // By the end of its session, long before its lease runs out.
  expect(performance.now() - killed).toBeLessThan(TTL);
  await receiver.waitFor(() => new Set(arrived()).size === 201);
  await said(standBy, /^leading$/);
  const ids = receiver.requests.map(({ headers, body }) => `${headers['webhook-id']} ${/"key":"(\d+)"/.exec(body)?.[1]}`);
  expect(new Set(ids).size).toBe(201);
});

test('a leader that was stopped for a while and goes on writes nothing more, and the order of each entity holds', async () => {
  const [leader, standBy] = await leaderAndStandBy();
  await database.query('insert into orders (id) select generate_series(1, 20)');
  await receiver.waitFor(20);
  leader.signal('SIGSTOP');
  for (let version = 1; version <= 5; version++) await database.query('update orders set version = $1', [version]);
  // Its session lives on, so only time tells: the lease runs out.
  await said(standBy, /^leading$/);
  await receiver.waitFor(() => new Set(arrived()).size === 120);
  leader.signal('SIGCONT');
  await said(leader, /another instance has taken over|standing by/);
  await database.query('update orders set version = 6');
  await receiver.waitFor(() => new Set(arrived()).size === 140);
  const [row] = await database.query<{ epoch: number; holders: number }>(
    'select epoch::int, (select count(*)::int from observers.checkpoint c where c.epoch = l.epoch) as holders from observers.lease l',
  );
  expect(row).toEqual({ epoch: 2, holders: 1 });
  for (let id = 1; id <= 20; id++) {
    const versions = [...new Set(arrived().filter((one) => one.startsWith(`${id} v`)))];
    expect(versions).toEqual([0, 1, 2, 3, 4, 5, 6].map((version) => `${id} v${version}`));
  }
});
