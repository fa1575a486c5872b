import pino from 'pino';
import { Pool } from 'pg';
import { Progress } from '../../src/checkpoint/progress';
import { Ledger } from '../../src/delivery/ledger';
import type { PendingRecord } from '../../src/delivery/records';
import { SystemClock } from '../../src/event/clock';
import { Lease } from '../../src/ha/lease';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { untilRows } from '../support/until';

const COMMIT_WINDOW = 1;
const pendingOf = (changeNumber: number, state: PendingRecord['state'] = 'queued'): PendingRecord => ({
  changeNumber,
  observer: 'o',
  action: 'a',
  endpoint: 'hook',
  lane: 'lane',
  party: '',
  strict: false,
  state,
  attempt: 1,
  appointments: 0,
  elapsed: null,
  after: 0,
  claim: state === 'running' ? 60_000 : null,
  redrive: false,
});
const NOTHING = (): void => undefined;
const EVENTS = { died: NOTHING, quarantined: NOTHING, written: NOTHING, deposed: NOTHING };

let database: TestDatabase;
let pool: Pool;
let ledger: Ledger;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url });
  const clock = new SystemClock();
  const lease = await Lease.acquire(pool, clock, 'main', 'process', null, 60_000);
  const term = { stream: 'main', holder: 'process', epoch: lease!.epoch, mandate: lease!, clock, logger: pino({ level: 'silent' }) };
  ledger = new Ledger(pool, term, new Progress(), EVENTS, COMMIT_WINDOW);
});
afterEach(async () => {
  ledger.abandon();
  await pool.end();
  await database.drop();
});

const waiting = (): Promise<{ number: number; state: string }[]> =>
  database.query('select change_number::int as number, state from observers.pending_delivery order by 1');

test('nothing is written beside what wants to be alone, and what has gathered meanwhile is written in its order', async () => {
  ledger.pend(pendingOf(1, 'running'));
  const alone = ledger.exclusively(async () => {
    // Its row is locked, as a reload locks all of them: what would be written now waits here, and what follows it would be written before it.
    const client = await pool.connect();
    await client.query('begin');
    await client.query('select from observers.pending_delivery where change_number = 1 for update');
    ledger.pend(pendingOf(1, 'running'));
    ledger.pend(pendingOf(3));
    await new Promise((resolve) => setTimeout(resolve, 100 * COMMIT_WINDOW));
    const { committed, gathering } = ledger;
    await client.query('commit');
    client.release();
    return { committed, gathering, rows: await waiting() };
  });
  // While the first is being written: a timer stands for this one when the work begins.
  ledger.pend(pendingOf(2));
  expect(await alone).toEqual({ committed: 1, gathering: 2, rows: [{ number: 1, state: 'running' }] });
  ledger.end(pendingOf(1));
  await ledger.drain();
  expect(await waiting()).toEqual([
    { number: 2, state: 'queued' },
    { number: 3, state: 'queued' },
  ]);
});

test('what gathers while a group is written is written after it, without anybody asking', async () => {
  for (let number = 1; number <= 3; number++) {
    ledger.pend(pendingOf(number));
    const settled = ledger.settle();
    ledger.end(pendingOf(number));
    await settled;
  }
  await untilRows(database, 'select 1 from observers.pending_delivery', 0);
});
