import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Received, type Receiver } from '../support/receiver';
import { startServiceProcess, type ServiceProcess } from '../support/service-process';
import { eventually, until } from '../support/until';

// What a process that was killed had handed over stands in PostgreSQL; what it had in memory does not. Whoever takes over must not begin
// with the first before it has read the second once more.

let database: TestDatabase;
let receiver: Receiver;
let folder: string;
let service: ServiceProcess | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  folder = mkdtempSync(join(tmpdir(), 'observers-takeover-'));
  await database.query('create table orders (id text primary key, step int)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await service?.end('SIGKILL');
  service = null;
  await receiver.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const BUDGET = 4_000;

async function start(ordering: string, env: Record<string, string> = {}): Promise<void> {
  writeFileSync(
    join(folder, 'observers.yaml'),
    `version: 1
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback], concurrency: 1, timeout: 60s } }
observers: [{ name: all, entity: Order, ordering: ${ordering}, actions: [{ type: webhook, endpoint: hook }] }]
`,
  );
  service = startServiceProcess(folder, { DATABASE_URL: database.url, OBSERVERS_INLINE_BUDGET: `${BUDGET}ms`, ...env });
  const { log } = service;
  await until(() => log.some(({ msg }) => msg === 'leading'));
}

const said = ({ body }: Received): string => {
  const { entity, data } = JSON.parse(body) as { entity: { key: string }; data: { step: number } };
  return `${entity.key}${data.step}`;
};
/** `key` and `step` of what stands in PostgreSQL, with its state. */
const rows = async (): Promise<string[]> => {
  const all = await database.query<{ what: string }>(
    `select (object_data ->> 'id') || (object_data ->> 'step') || ' ' || state as what
     from observers.pending_delivery join core.tb_entity_change_log on pk_entity_change_log = change_number order by change_number`,
  );
  return all.map(({ what }) => what);
};
const insert = (id: string): Promise<unknown> => database.query('insert into orders values ($1, 1)', [id]);

/** x runs, y waits for its place and is handed over, A waits in memory, and A's second change is queued behind y. Then the process is killed. */
async function killInBetween(): Promise<void> {
  receiver.answer = () => undefined;
  await insert('x');
  await receiver.waitFor(1);
  await insert('y');
  const read = performance.now();
  await until(() => performance.now() - read > BUDGET / 2);
  await insert('A');
  await eventually(rows, (all) => all.includes('x1 running') && all.includes('y1 queued'));
  await database.query("update orders set step = 2 where id = 'A'");
  const found = await eventually(rows, (all) => all.some((what) => what.startsWith('A2')));
  await service?.end('SIGKILL');
  // Otherwise there is nothing to see: the first change was on record, or the second was in memory.
  expect(found.filter((what) => what.startsWith('A'))).toHaveLength(1);
  receiver.requests.length = 0;
  receiver.answer = (_request, response) => void response.writeHead(204).end();
}

test.each(['none', 'strict'])(
  'after kill -9 a change that was only in memory goes before a later one that was queued (ordering: %s)',
  async (ordering) => {
    await start(ordering);
    await killInBetween();
    // Its records take long to be committed: whatever is claimed at once would be seen to go first.
    await start(ordering, { OBSERVERS_COMMIT_WINDOW: '500ms' });
    await receiver.waitFor((all) => new Set(all.map(said)).size === 4);
    const first = [...new Set(receiver.requests.map(said))];
    expect(first.filter((what) => what.startsWith('A'))).toEqual(['A1', 'A2']);
    expect(receiver.requests.map(said).sort()).toEqual(['A1', 'A2', 'x1', 'y1']);
    await eventually(rows, (all) => all.length === 0);
  },
);
