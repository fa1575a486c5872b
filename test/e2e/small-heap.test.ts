import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import request from 'supertest';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, MAIN } from '../support/program';
import { startServiceProcess, type ServiceProcess } from '../support/service-process';
import { eventually, untilRows } from '../support/until';

// Its heap is a sixteenth of what Node takes by itself here. What is stored is small: PostgreSQL compresses one letter to a hundredth.
const HEAP = 128;
const MIB = 1024 ** 2;

let database: TestDatabase;
let receiver: Server;
let folder: string;
let service: ServiceProcess;
/** Bytes of the bodies that came; they are not kept, for there is more of them than this process should hold. */
const bodies: number[] = [];
let answer: number;

beforeEach(async () => {
  bodies.length = 0;
  answer = 204;
  database = await createTestDatabase();
  await database.query('create table public.notes (id bigint primary key, text text)');
  receiver = createServer((incoming, response) => {
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
    incoming.on('end', () => {
      bodies.push(bytes);
      response.writeHead(answer).end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'observers-heap-'));
  const { port } = receiver.address() as AddressInfo;
  writeFileSync(
    join(folder, 'observers.yaml'),
    `version: 1
capture: [{ table: public.notes }]
observers:
  - name: all
    entity: "*"
    when: "text IS NULL OR text <> 'never'"
    retry: { max_attempts: 20, initial_delay: 200ms, max_delay: 1s }
    actions: [{ type: webhook, url: "http://127.0.0.1:${port}/hook", allow_addresses: [loopback] }]
`,
  );
  service = startServiceProcess(folder, environment());
  await untilRows(database, 'select 1 from observers.lease where expires_at > now()', 1);
});

afterEach(async () => {
  await service.end();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true });
  await database.drop();
});

const environment = (): Record<string, string> => ({ DATABASE_URL: database.url, NODE_OPTIONS: `--max-old-space-size=${HEAP}` });

/** A command, with the same heap. @returns what it prints; throws when it fails */
const command = (...args: string[]): Promise<string> =>
  promisify(execFile)(process.execPath, [MAIN, ...args], { cwd: folder, env: { ...BARE, ...environment() }, maxBuffer: MIB }).then(
    ({ stdout }) => stdout,
  );

const succeeded = (count: number): Promise<unknown> =>
  eventually(
    () => database.query("select 1 from observers.attempt where outcome = 'succeeded'"),
    ({ length }) => {
      if (!service.alive) throw new Error('the service died');
      return length >= count;
    },
    240_000,
  );
/** Nothing died on the way here: what is new is delivered by the process that was started. */
async function stillDelivers(): Promise<void> {
  await database.query("insert into notes values (1000000, 'small')");
  await untilRows(database, "select 1 from observers.attempt a join core.tb_entity_change_log l on l.pk_entity_change_log = a.change_number where l.object_key = '1000000' and a.outcome = 'succeeded'", 1); // prettier-ignore
  expect(service.alive).toBe(true);
}

test('rows of one letter, 3.3 MB each and a hundredth of that stored, go through a heap of 128 MB', async () => {
  const rows = Number(process.env['HEAP_ROWS'] ?? 40);
  await database.query("insert into notes select n, repeat('x', 3300000) from generate_series(1, $1::int) n", [rows]);
  await succeeded(rows);
  expect(bodies.filter((bytes) => bytes > 3_300_000)).toHaveLength(rows);
  await stillDelivers();
}, 300_000);

test('so they do as retries, of which there are more due than the heap could hold', async () => {
  answer = 503;
  const rows = 25;
  await database.query("insert into notes select n, repeat('x', 3300000) from generate_series(1, $1::int) n", [rows]);
  await untilRows(database, "select 1 from observers.pending_delivery where state in ('retrying', 'queued')", rows);
  answer = 204;
  await succeeded(rows);
  await stillDelivers();
}, 300_000);

test('causes, names and keys of a megabyte upon a megabyte are cut or set aside, and good rows go on', async () => {
  const wide = `repeat('y', ${20 * MIB})`;
  const insert = (columns: string, values: string): Promise<unknown> =>
    database.query(
      `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data${columns}) values (${values})`,
    );
  for (let i = 0; i < 12; i++)
    await insert(', trace_context', `'Order', '${i}', 'INSERT', '{"id": 1}', jsonb_build_object('cause', ${wide})`);
  await insert('', `'Order', ${wide}, 'INSERT', '{"id": 1}'`);
  await insert('', `${wide}, '1', 'INSERT', '{"id": 1}'`);
  await insert('', `'Order', '1', ${wide}, '{"id": 1}'`);
  await insert(', updated_fields', `'Order', '1', 'UPDATE', '{"id": 1}', array[${wide}]`);
  await stillDelivers();
  await untilRows(database, 'select 1 from observers.quarantine', 16);
}, 300_000);

test('numbers of 131,072 digits, a dozen bytes each as they are stored, hold nothing up', async () => {
  await database.query('create table public.bombs (id bigint primary key, digits numeric[])');
  await database.capture('public.bombs');
  for (let i = 0; i < 8; i++)
    await database.query('insert into bombs select $1, array_agg(1e131000::numeric) from generate_series(1, 200)', [i]);
  await stillDelivers();
  await untilRows(database, "select 1 from observers.quarantine where reason = 'too_large'", 8, 120_000);
}, 300_000);

test('a dead letter of 150 MB is shown by its size, and neither command nor API die of it', async () => {
  await database.query(`insert into notes values (1, repeat('z', ${150 * MIB}))`);
  const [item] = await untilRows<{ id: string }>(database, 'select l.id from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number', 1, 60_000); // prettier-ignore
  expect(JSON.parse(await command('dlq', 'show', item!.id, '--format', 'json'))).toMatchObject({ data: null, dataBytes: 150 * MIB + 18 });
  expect(await command('dlq', 'show', item!.id)).toMatch(/157,286,418 bytes, too many to be shown/);
  const { address } = await eventually(
    () => Promise.resolve({ address: service.log.map(({ address }) => address).find((one) => typeof one === 'string') as string }),
    ({ address }) => address !== undefined,
  );
  for (let i = 0; i < 3; i++) {
    const { status, body } = await request(`http://${address}`).get(`/dlq/${item!.id}`);
    // On a busy machine the row is not even measured within the time that a statement of the API has.
    const dataProblem = expect.stringMatching(
      /^(157,286,418 bytes, too many to be shown|the database took too long over the row)$/,
    ) as string;
    expect({ answered: status, ...(body as object) }).toMatchObject({ answered: 200, data: null, dataProblem });
  }
  await stillDelivers();
}, 300_000);

test('why, and a history of events, tell of more images than the heap could hold', async () => {
  await database.query("insert into notes values (1, repeat('a', 3300000))");
  for (let i = 0; i < 39; i++) await database.query('update notes set text = repeat(chr(98 + $1::int % 20), 3300000) where id = 1', [i]);
  await succeeded(40);
  const changes = (JSON.parse(await command('why', '--entity', 'notes', '--key', '1', '--limit', '40', '--format', 'json')) as { changes: unknown[] }).changes; // prettier-ignore
  expect(changes).toHaveLength(40);
  expect((await command('debug-event', '--history', '40')).match(/ notes 1 .* 1 delivered/g)).toHaveLength(40);
  const { address } = await eventually(
    () => Promise.resolve({ address: service.log.map(({ address }) => address).find((one) => typeof one === 'string') as string }),
    ({ address }) => address !== undefined,
  );
  const { status, body } = await request(`http://${address}`).get('/why?entity=notes&key=1&limit=40');
  expect({ status, changes: (body as { changes: unknown[] }).changes.length }).toEqual({ status: 200, changes: 40 });
  await stillDelivers();
}, 300_000);
