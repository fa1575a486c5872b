import { Pool } from 'pg';
import { BEYOND_EVERYTHING } from '../../src/checkpoint/cursor';
import { pinnedPool } from '../../src/database/postgres';
import { GatheringGroup } from '../../src/delivery/gathering-group';
import { writeGroup } from '../../src/delivery/ledger.sql';
import { promoteHeads } from '../../src/delivery/strict-lanes.sql';
import type { Claimant, JobQueue } from '../../src/jobs/job-queue';
import { JOB_QUEUES } from '../../src/jobs/jobs.module';
import { attemptOf, JobQueueBench, LONG, placesOf, queued, range, retrying } from './job-queue-bench';

// A table that has never been analysed, as that of a new installation, and the plans of one connection, made while it was empty: PostgreSQL keeps them until
// autovacuum has come by, a minute or two later. Whatever a plan reads more than it needs is multiplied by what waits by then.

const WAITING = 150_000;
/**
 * A statement that takes longer than this (ms) reads all that waits for each of its rows, which takes minutes. Those of a good plan take 10 ms, and the
 * few of a take-over that change a third of all rows take 1 s; a busy machine was seen to need 4 s.
 */
const LONGEST = 20_000;

const FILL = `
  insert into observers.pending_delivery (change_number, observer, action, stream, endpoint, lane, party, state, attempt, next_attempt_at, strict, due_at, debounce_key, collapsed)
  select n, 'o' || n % 3, 'a', 'main', 'e' || n % 4, 'lane ' || n % 9000 || ' of o' || n % 3, 'party ' || n % 5,
         case n % 7 when 0 then 'scheduled' when 1 then 'retrying' when 2 then 'waiting' else 'queued' end, 1,
         case n % 7 when 0 then now() + interval '1 hour' when 1 then now() else '-infinity' end, n % 7 = 2, case n % 7 when 0 then now() end,
         case n % 7 when 0 then 'key ' || n end, case n % 7 when 0 then 1 end
  from generate_series(1000, $1::int) n`;

describe.each(Object.entries(JOB_QUEUES))('%s', (_name, open) => {
  let bench: JobQueueBench;
  let one: Pool;
  let jobs: JobQueue;
  let leader: Claimant;

  beforeAll(async () => {
    bench = await JobQueueBench.open();
    await bench.database.query('alter table observers.pending_delivery set (autovacuum_enabled = false)');
    one = new Pool({ connectionString: bench.database.url, max: 1, ...pinnedPool({ statement_timeout: String(LONGEST) }) });
    jobs = open(one);
    leader = await bench.lead('leader');
  });
  afterAll(async () => {
    await one.end();
    await bench.close();
  });

  const PLACES = placesOf({ e0: 100, e1: 100, e2: 100, e3: 100 });
  /** A group with something of everything that a ledger writes; its changes are from this number on. */
  const group = (from: number): GatheringGroup => {
    const gathering = new GatheringGroup();
    for (const n of range(from, from + 49)) {
      const delivery = { changeNumber: n, observer: 'o1', action: 'a', lane: `lane ${n % 9000} of o1`, configVersion: 1 };
      gathering.attempts.push(attemptOf(n));
      gathering.pend(retrying(n + 100, { observer: 'o1', endpoint: 'e1' }));
      gathering.cancel(delivery, 0);
      gathering.schedule({ ...delivery, endpoint: 'e1', party: '-', due: Date.now() + LONG, debounceKey: `key ${n}`, since: 0, maxWait: LONG * 1e6, collapsed: 1 }, 0); // prettier-ignore
      gathering.end({ changeNumber: n + 200, observer: 'o1', action: 'a' });
    }
    return gathering;
  };
  /** What the leader's worker and ledger do, once each. @returns how many were claimed */
  const everything = async (from: number): Promise<number> => {
    const claimed = await jobs.claim(leader, PLACES, LONG);
    const held = claimed.map(({ changeNumber, observer, action }) => ({ changeNumber, observer, action }));
    await jobs.sweep('main', held);
    await jobs.adopt('main', ['e0', 'e1', 'e2', 'e3', 'e'], 'e');
    await jobs.drained('main', ['e0', 'e1', 'e2', 'e3']);
    await jobs.release(leader, (await jobs.due('main')) ?? 'now', []);
    await promoteHeads(one, 'main', ['lane 2 of o1', 'lane 9 of o2'], []);
    expect(await writeGroup(one, leader, group(from).rows(), 0)).toBe(true);
    return claimed.length;
  };

  test('what was planned for an empty table stays quick when very much waits in it', async () => {
    await bench.put(leader, queued(1, { endpoint: 'e0' }));
    for (let i = 0; i < 12; i++) await everything(1_000_000 + i * 1_000);
    await bench.database.query(FILL, [WAITING]);
    expect(await everything(10_000_000)).toBe(500);
    expect(await everything(1_200)).toBe(500);
    leader = await bench.lead('next');
    const homes = [0, 1, 2, 3].map((n) => ({ observer: `o${n}`, action: 'a', endpoint: `e${n}` }));
    await jobs.takeOver(leader, { previous: BEYOND_EVERYTHING, target: null, after: 0 }, { strict: ['o2'], homes });
    expect(await everything(20_000_000)).toBeGreaterThan(0);
  });
});
