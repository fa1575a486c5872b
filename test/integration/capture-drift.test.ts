import type { Pool } from 'pg';
import pino from 'pino';
import request from 'supertest';
import { createPool } from '../../src/database/postgres';
import { readStatus } from '../../src/status/status.sql';
import { Clock } from '../../src/event/clock';
import type { CaptureDefinition } from '../../src/event/definitions';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { CaptureWatch } from '../../src/ha/capture-watch';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService, type TestService, type TestServiceOptions } from '../support/service';
import { eventually, until, untilLeading } from '../support/until';
import { CUSTOMERS, HAPPENINGS, ORDERS, PARTITIONED, VISITS } from './capture-happenings';

/** Time stands still unless a test moves it. */
class StandingClock extends Clock {
  at = Date.parse('2026-01-31T10:00:00Z');
  now(): number {
    return this.at;
  }
  monotonic(): number {
    return this.at;
  }
}

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly table?: string;
  readonly reasons?: readonly string[];
}

let database: TestDatabase;

let pool: Pool;

let lines: Line[];

let services: TestService[];

const clock = new StandingClock();

const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 2);
  lines = [];
  services = [];
  await database.query('create table public.orders (id int primary key, status text); create table public.customers (id int primary key)');
});

afterEach(async () => {
  for (const service of services) await service.stop();
  await pool.end();
  await database.drop();
});

const apply = async (captures: readonly CaptureDefinition[]): Promise<void> =>
  applyCapture(database.client, await planCapture(database.client, captures));

const watchOf = (captures: readonly CaptureDefinition[], onChange = (): void => undefined): CaptureWatch =>
  new CaptureWatch({ pool, clock, logger, captures, onChange });

const tables = (watch: CaptureWatch): string[] => (watch.drift ?? []).map(({ table, state }) => `${table} ${state}`);

const told = (): Line[] => lines.filter(({ table }) => table !== undefined);

test.each(HAPPENINGS)(
  'when $what, the next look tells it, once',
  async ({ before, captures = [ORDERS], happens, table, state, reason }) => {
    if (before !== undefined) await database.query(before);
    await apply(captures);
    const watch = watchOf(captures);
    await watch.look();
    expect(watch.drift).toEqual([]);
    try {
      await database.query(`set allow_system_table_mods = on; ${happens}`);
      await watch.look();
      const drift = watch.drift!.find((one) => one.table === table);
      expect(drift).toMatchObject({ state, since: '2026-01-31T10:00:00.000Z' });
      expect(drift!.reasons.join('; ')).toMatch(reason);
      await watch.look();
      expect(told()).toEqual([expect.objectContaining({ level: 40, table, state })]);
    } finally {
      // A subscription would keep its database.
      const [found] = await database.query("select from pg_subscription where subname = 'drift_sub'");
      if (found !== undefined) await database.query('alter subscription drift_sub set (slot_name = none); drop subscription drift_sub');
    }
  },
);

test('when it is mended the next look says so, and a later drift is told anew', async () => {
  await apply([ORDERS, CUSTOMERS]);
  let changes = 0;
  const watch = watchOf([ORDERS, CUSTOMERS], () => changes++);
  for (const round of [1, 2]) {
    await database.query('alter table orders disable trigger user');
    clock.at += 60_000;
    const since = new Date(clock.at).toISOString();
    await watch.look();
    clock.at += 60_000;
    await watch.look();
    expect(watch.drift).toMatchObject([{ table: 'public.orders', entity: 'Order', since }]);
    await apply([ORDERS, CUSTOMERS]);
    await watch.look();
    await watch.look();
    expect(watch.drift).toEqual([]);
    expect(changes).toBe(round * 2);
    expect(told().map(({ level, table }) => `${level} ${table}`)).toEqual(
      Array<string[]>(round).fill(['40 public.orders', '30 public.orders']).flat(),
    );
  }
});

test('one table that drifts does not hide another, and a thousand reasons are cut', async () => {
  await database.query('create table public.logs (id int primary key) partition by range (id)');
  await apply([ORDERS, CUSTOMERS, captureOf('public.logs', { entity: 'Log' })]);
  await database.query(
    "do $$ begin for i in 1..40 loop execute format('create table public.logs_%1$s partition of public.logs for values from (%1$s) to (%2$s)', i, i + 1); end loop; end $$",
  );
  await database.query('drop table public.customers');
  const watch = watchOf([ORDERS, CUSTOMERS, captureOf('public.logs', { entity: 'Log' })]);
  await watch.look();
  expect(tables(watch)).toEqual(['public.customers impossible', 'public.logs drifted']);
  expect(watch.drift![1]!.reasons).toHaveLength(4);
  expect(watch.drift![1]!.reasons[3]).toMatch(/^and \d+ more$/);
});

test('a look that fails is told once, changes nothing that is known, and the next one is made all the same', async () => {
  await apply([ORDERS]);
  await database.query('alter table orders disable trigger user');
  const watch = watchOf([ORDERS]);
  await watch.look();
  await database.query('alter table observers.captured_table rename to hidden');
  await watch.look();
  await watch.look();
  expect(tables(watch)).toEqual(['public.orders drifted']);
  await database.query(
    'alter table observers.hidden rename to captured_table; alter table orders enable always trigger observers_capture_insert',
  );
  await watch.look();
  expect(lines.filter(({ table }) => table === undefined).map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    '40 the captured tables cannot be compared with the observers file; it is tried again each minute',
    '30 the captured tables are compared with the observers file again',
  ]);
});

test('a table that somebody alters for long neither stops the look for good nor is stopped by it', async () => {
  await database.query(PARTITIONED);
  await apply([VISITS]);
  const watch = watchOf([VISITS]);
  await database.query('begin; lock table public.visits_25 in access exclusive mode');
  await watch.look();
  await database.query('commit');
  await watch.look();
  expect(watch.drift).toEqual([]);
});

test('the look needs no right on the captured tables', async () => {
  await apply([ORDERS]);
  const role = `observers_test_watch_${process.pid}`;
  await database.query(
    `create role ${role} login password 'x'; grant usage on schema core, observers to ${role}; grant select on observers.captured_table to ${role}`,
  );
  const url = new URL(database.url);
  [url.username, url.password] = [role, 'x'];
  const poor = createPool(url.toString(), 1);
  try {
    const watch = new CaptureWatch({ pool: poor, clock, logger, captures: [ORDERS], onChange: () => undefined });
    await watch.look();
    expect(lines).toEqual([]);
    expect(watch.drift).toEqual([]);
  } finally {
    await poor.end();
    await database.query(`drop owned by ${role}; drop role ${role}`);
  }
});

describe('in a service', () => {
  const fileOf = (...captures: string[]): string => `
version: 1
capture: [${captures.join(', ')}]
observers: [{ name: all, entity: "*", actions: [{ type: log }] }]
`;
  const BOTH = ['{ table: public.orders, entity: Order }', '{ table: public.customers, entity: Customer }'];
  const start = async (file: string, options: TestServiceOptions = {}): Promise<TestService> => {
    const service = await startTestService(database.url, { file, logger, ...options });
    services.push(service);
    return service;
  };
  const lead = async (file: string, options: TestServiceOptions = {}): Promise<TestService> => {
    const service = await start(file, options);
    await untilLeading(service.streams.main);
    return service;
  };
  const drift = async (): Promise<string[] | null> =>
    (await readStatus(database.client, 'main')).captureDrift?.map(({ table, state }) => `${table} ${state}`) ?? null;
  const untilDrift = (expected: readonly string[]): Promise<unknown> =>
    eventually(drift, (now) => JSON.stringify(now) === JSON.stringify(expected));
  const series = async (service: TestService): Promise<string[]> => {
    const { text } = await request(`http://${service.address}`).get('/metrics');
    return text
      .split('\n')
      .filter((line) => line.startsWith('observer_capture_drift'))
      .map((line) => line.replace(/,?stream="main"/, ''));
  };

  test('the status and the metric of every instance have what the leader sees, and nothing when all is well', async () => {
    const leader = await lead(fileOf(...BOTH));
    const other = await start(fileOf(...BOTH));
    await untilDrift([]);
    expect(await series(leader)).toEqual([]);
    await database.query('drop table customers; alter table orders disable trigger user');
    await leader.streams.main.captureWatch.look();
    await untilDrift(['public.orders drifted', 'public.customers impossible']);
    for (const one of [leader, other]) {
      expect((await series(one)).sort()).toEqual([
        'observer_capture_drift{table="public.customers"} 1',
        'observer_capture_drift{table="public.orders"} 1',
      ]);
      const { body } = await request(`http://${one.address}`).get('/status');
      expect((body as { captureDrift: unknown }).captureDrift).toMatchObject([{ table: 'public.orders' }, { table: 'public.customers' }]);
    }
    await apply([ORDERS]);
    await leader.streams.main.captureWatch.look();
    await untilDrift(['public.customers impossible']);
  });

  test('when nobody leads, nothing is said, and the next leader looks for itself', async () => {
    const first = await lead(fileOf(...BOTH));
    await database.query('drop table customers');
    await first.streams.main.captureWatch.look();
    await untilDrift(['public.customers impossible']);
    services = [];
    await first.stop();
    expect(await drift()).toBeNull();
    await lead(fileOf(...BOTH));
    await untilDrift(['public.customers impossible']);
  });

  test('a reload changes which tables are looked at, at once', async () => {
    const service = await lead(fileOf(BOTH[0]!), { drift: { applyCapture: false, strict: false } });
    await untilDrift(['public.orders missing']);
    service.rewrite(fileOf(...BOTH));
    await service.reloader.reload('test');
    await untilDrift(['public.orders missing', 'public.customers missing']);
    service.rewrite(fileOf());
    await service.reloader.reload('test');
    await untilDrift([]);
  });

  test('what is told stays told over terms', async () => {
    const service = await lead(fileOf(...BOTH));
    await database.query('drop table customers');
    await service.streams.main.captureWatch.look();
    await database.query("update observers.lease set epoch = epoch + 1, expires_at = '-infinity'");
    await until(() => service.streams.main.terms > 1);
    await untilDrift(['public.customers impossible']);
    expect(told().filter(({ msg }) => msg.includes('capture check says more'))).toHaveLength(1);
  });

  const IMPOSSIBLE: [string, string, string[]][] = [
    ['a table that is not there', 'drop table customers', BOTH],
    ['a table that became a view', 'drop table customers; create view customers as select 1 as id', BOTH],
    ['a table without its key', 'alter table customers drop constraint customers_pkey', BOTH],
    ['a condition that the database cannot read', 'select', ['{ table: public.customers, entity: Customer, when: "gone > 1" }', BOTH[0]!]],
    ['a condition of another type', 'select', ['{ table: public.customers, entity: Customer, when: "id + 1" }', BOTH[0]!]],
  ];
  describe.each([true, false])('with --apply: %s', (applyNow) => {
    test.each(IMPOSSIBLE)('%s stops neither the start nor a reload, and the other table is captured', async (_what, happens, captures) => {
      await apply([ORDERS, CUSTOMERS]);
      await database.query(happens);
      const options = { drift: { applyCapture: applyNow, strict: false } };
      const service = await lead(fileOf(...captures), options);
      const events = (): number => lines.filter(({ msg }) => msg === 'event').length;
      await database.query("insert into orders values (1, 'new')");
      await until(() => events() === 1);
      service.rewrite(`${fileOf(...captures)}# another\n`);
      expect(await service.reloader.reload('test')).toMatchObject({ effective: 'now', version: 2 });
      await database.query("insert into orders values (2, 'new')");
      await until(() => events() === 2);
      await eventually(drift, (now) => now?.length === 1 && now[0]!.startsWith('public.customers '));
    });

    test('and with --strict it is refused, before anything is changed', async () => {
      await database.query('drop table customers');
      await expect(start(fileOf(...BOTH), { drift: { applyCapture: applyNow, strict: true } })).rejects.toThrow('public.customers');
      if (!applyNow) await apply([ORDERS]);
      const service = await lead(fileOf(BOTH[0]!), { drift: { applyCapture: applyNow, strict: true } });
      service.rewrite(fileOf(...BOTH));
      await expect(service.reloader.reload('test')).rejects.toThrow('the capture of public.customers differs');
      expect(service.reloader.current.version).toBe(2);
    });
  });
});
