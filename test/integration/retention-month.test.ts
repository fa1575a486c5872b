import type { Pool } from 'pg';
import pino from 'pino';
import { createPool } from '../../src/database/postgres';
import type { TermContext } from '../../src/event/term-context';
import { SystemClock } from '../../src/event/clock';
import type { EndTimer, Timers } from '../../src/event/timers';
import { RetentionRounds } from '../../src/retention/retention-rounds';
import { RetentionTally } from '../../src/retention/retention-tally';
import { apiOf } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { DAY, History, removeAll, SHORTEST } from '../support/retention';
import { asServiceRole } from '../support/roles';
import { startTestService, type TestService } from '../support/service';
import { configurationOf } from '../support/stream';
import { reaches, untilLeading, untilRead, untilRows } from '../support/until';

const TOKEN = 'CANARY-write-0123456789';
const MOST_A_TRANSACTION = 2_000;

let database: TestDatabase;
let history: History;
let receiver: Receiver;
let pool: Pool;
let service: TestService | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  history = new History(database);
  receiver = await startReceiver();
  pool = createPool(asServiceRole(database.url), 3);
  await database.query('create table orders (id int primary key)');
});
afterEach(async () => {
  await service?.stop();
  service = null;
  await pool.end();
  await receiver.close();
  await database.drop();
});

const start = async (): Promise<TestService> => {
  const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }] }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }`;
  service = await startTestService(database.url, { file, env: { OBSERVERS_API_TOKENS: `write:${TOKEN}` } });
  await untilLeading(service.streams.main);
  return service;
};
const stop = async (): Promise<void> => {
  await service?.stop();
  service = null;
};
/** How often each delivery has come. */
const times = (): number[] => {
  const seen = new Map<string, number>();
  for (const { headers } of receiver.requests) seen.set(headers['webhook-id']!, (seen.get(headers['webhook-id']!) ?? 0) + 1);
  return [...seen.values()];
};

test('after a month with the service stopped in the middle of its work, what was sent is not sent again, the rest comes once, and what is old goes in small transactions behind it', async () => {
  const [sent, backlog] = [50, 3_000];
  await start();
  await database.query('insert into orders select i from generate_series(1, $1::int) i', [sent]);
  await receiver.waitFor(sent);
  await untilRead(database);
  await stop();
  // As kill -9 leaves it: attempts are on record, and the checkpoint is not over them. Then a month goes by, in which applications write.
  await history.notBegun('main');
  await history.day(31, []);
  await database.query("update observers.attempt set finished_at = finished_at - interval '31 days'");
  await database.query("update core.tb_entity_change_log set created_at = created_at - interval '31 days'");
  await database.query(
    `insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, created_at)
     select 'Order', i::text, 'INSERT', json_build_object('id', i), now() - (30 - 29.9 * i / $1::float8) * interval '1 day' from generate_series(1, $1::int) i`,
    [backlog],
  );
  await database.query(`create table public.cuts (rows int);
    create function public.note_cut() returns trigger language plpgsql security definer as $$ begin insert into public.cuts select count(*) from gone; return null; end $$;
    create trigger note_cut after delete on core.tb_entity_change_log referencing old table as gone for each statement execute function public.note_cut()`);
  // Somebody who means well tidies up before the service is back.
  expect(await removeAll(pool)).toMatchObject({ finished: true, removed: [] });
  const back = await start();
  const api = apiOf(back, { authorization: `Bearer ${TOKEN}` });
  expect((await api('POST /retention/run')).status).toBe(200);
  await reaches(() => receiver.requests.length, sent + backlog);
  await untilRead(database);
  expect(new Set(times())).toEqual(new Set([1]));
  expect(times()).toHaveLength(sent + backlog);
  const run = await api<{ finished: boolean }>('POST /retention/run');
  expect(run.body).toMatchObject({ finished: true });
  const [oldest] = await database.query<{ days: number }>(
    'select extract(epoch from now() - min(created_at))::float8 / 86400 as days from core.tb_entity_change_log',
  );
  expect(oldest!.days).toBeLessThan(7.1);
  expect(await history.days()).toEqual([]);
  const cuts = await database.query<{ rows: number }>('select rows from public.cuts where rows > 0');
  expect(Math.max(...cuts.map(({ rows }) => rows))).toBeLessThanOrEqual(MOST_A_TRANSACTION);
  const { body } = await api<{ holds: unknown[]; tables: { table: string; keeps: number }[] }>('GET /retention');
  expect(body.holds).toEqual([]);
  expect(body.tables.find(({ table }) => table === 'change_log')).toMatchObject({ keeps: 7 * DAY });
}, 120_000);

test('the leader does the same by itself each minute under a name of its own, is told by what it has removed, and stops with its term', async () => {
  let [name, round, ended]: [string, () => Promise<void>, boolean] = ['', () => Promise.resolve(), false];
  // Only what a minute is made of is left out.
  const timers = {
    every(called: string, _milliseconds: number, work: () => Promise<void>): EndTimer {
      [name, round] = [called, work];
      return () => {
        ended = true;
        return Promise.resolve();
      };
    },
    names: [],
  } as unknown as Timers;
  const tally = new RetentionTally();
  const rounds = new RetentionRounds(pool, configurationOf([], { settings: SHORTEST }), timers, tally);
  const mandate = { epoch: 1, valid: true, lost: false };
  const term: TermContext = {
    stream: 'main',
    holder: 'test',
    epoch: 1,
    mandate,
    clock: new SystemClock(),
    logger: pino({ level: 'silent' }),
  };
  const job = rounds.begin(term);
  expect(name).toBe('retention main');
  await history.changes(700, '2 days');
  await history.day(3, []);
  await history.passed('main');
  const [kept] = await history.changes(1, '1 hour');
  await history.passed('main');
  await round();
  expect(Object.fromEntries(tally.removed)).toEqual({ change_log: 701, attempt_day: 1 });
  // A letter that opens later keeps its change, and the walk is beyond it; what comes new is found all the same.
  expect(kept).toBeGreaterThan(700);
  await history.changes(5, '1 hour');
  await history.passed('main');
  await round();
  expect(tally.removed.get('change_log')).toBe(706);
  // Somebody took over: it does nothing any more.
  mandate.valid = false;
  await history.changes(5, '1 hour');
  await history.passed('main');
  await round();
  expect(await history.kept()).toHaveLength(5);
  mandate.valid = true;
  await database.query('alter table observers.checkpoint rename to away');
  await round();
  expect(tally.errors).toBeGreaterThan(0);
  await database.query('alter table observers.away rename to checkpoint');
  await round();
  expect(await history.kept()).toEqual([]);
  await job.stop();
  expect(ended).toBe(true);
  await untilRows(
    database,
    "select from pg_stat_activity where datname = current_database() and state = 'active' and query like '%tb_entity_change_log%' and pid <> pg_backend_pid()",
    0,
  );
}, 30_000);
