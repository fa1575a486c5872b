import type { StreamStatus } from '../../src/status/status.sql';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { programOn, type Program } from '../support/redrive';
import { startServiceProcess, type ServiceProcess } from '../support/service-process';
import { eventually } from '../support/until';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TTL = 3_000;
const FILE = `version: 1
settings: { lease_ttl: ${TTL}ms }
capture: [{ table: public.orders, entity: Order }]
observers: [{ name: say, entity: Order, actions: [{ type: log }] }]
`;

let database: TestDatabase;
let program: Program;
let folder: string;
const processes: ServiceProcess[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key)');
  folder = mkdtempSync(join(tmpdir(), 'observers-life-'));
  writeFileSync(join(folder, 'observers.yaml'), FILE);
  program = programOn(database, FILE);
});

afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.signal('SIGCONT');
    await one.end();
  }
  program.remove();
  rmSync(folder, { recursive: true });
  await database.drop();
});

const status = (): Promise<StreamStatus> => program.json<StreamStatus>(['status']);

async function start(message: string): Promise<ServiceProcess> {
  const one = startServiceProcess(folder, { DATABASE_URL: database.url });
  processes.push(one);
  await eventually(
    () => one.log.map(({ msg }) => String(msg)),
    (lines) => lines.some((line) => line.includes(message)),
  );
  return one;
}

const aliveOf = async (): Promise<number> => (await status()).listeners.filter(({ alive }) => alive).length;

/** Everything that speaks of the service, none of it as of one that is there. */
async function expectNobody(): Promise<void> {
  const words = /\b(running|leads|stands by|in flight +\d)/;
  for (const command of ['status', 'status --detailed', 'observers list', 'config history', 'breakers list']) {
    const { out } = await program.run(command.split(' '));
    // Columns have names, and a sentence may say that nobody does.
    const said = out.replaceAll(/^running +0$|\bqueued +running\b|[Nn]o service leads|none: no service leads/gm, '');
    expect([command, words.exec(said)?.[0] ?? null]).toEqual([command, null]);
  }
  const { leader, listeners, running } = await status();
  expect([leader?.alive, listeners.filter(({ alive }) => alive), running]).toEqual([false, [], 0]);
  expect((await program.run(['doctor'])).out).toMatch(/✗ leader +no service leads/);
  expect(await program.run(['metrics'])).toMatchObject({ code: 3, err: expect.stringContaining('no service runs for stream') as string });
}

test('whoever was killed is among the living no longer, and nothing is said to run, lead or be alive', async () => {
  const leader = await start('leading');
  const standBy = await start('standing by');
  await eventually(aliveOf, (alive) => alive === 2);
  await standBy.end('SIGKILL');
  // By its session, and not by the time that has passed: the next sign of life is not even due.
  await eventually(aliveOf, (alive) => alive === 1, TTL / 3);
  // What it was doing is under way no longer.
  await database.query('insert into public.orders values (1)');
  await eventually(
    async () => (await status()).lag.events,
    (events) => events === 0,
  );
  await leader.end('SIGKILL');
  await database.query(
    `insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, state, attempt, next_attempt_at, claimed_by, claimed_until)
     select max(pk_entity_change_log), 'say', 'log', 'main', 'log', 'x', 'running', 1, now(), (select holder from observers.lease), now() + interval '1 h'
     from core.tb_entity_change_log`,
  );
  await eventually(aliveOf, (alive) => alive === 0, TTL / 3);
  await expectNobody();
  expect((await status()).queued).toBe(1);
});

test('one that hangs is silent as soon as it has missed a sign of life, and is there again when it goes on', async () => {
  const leader = await start('leading');
  await eventually(aliveOf, (alive) => alive === 1);
  leader.signal('SIGSTOP');
  await eventually(aliveOf, (alive) => alive === 0, TTL);
  await expectNobody();
  leader.signal('SIGCONT');
  await eventually(status, ({ leader: now }) => now?.alive === true);
});
