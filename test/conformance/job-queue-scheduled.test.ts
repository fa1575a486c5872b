import { BEGINNING, BEYOND_EVERYTHING } from '../../src/checkpoint/cursor';
import type { CancelRecord, ScheduledRecord } from '../../src/delivery/records';
import type { Claimant, ClaimedDelivery, JobQueue } from '../../src/jobs/job-queue';
import { JOB_QUEUES } from '../../src/jobs/jobs.module';
import { eventually } from '../support/until';
import { JobQueueBench, LONG, numbersOf, placesOf, queued, retrying, running } from './job-queue-bench';

let bench: JobQueueBench;
beforeAll(async () => void (bench = await JobQueueBench.open()));
afterAll(() => bench.close());

const NOW = Date.now();
const HOUR = 3_600_000;
const PAST = { due: NOW - HOUR };
const FUTURE = { due: NOW + HOUR };
/** What waits for its time, in the lane of its number. */
const scheduled = (changeNumber: number, of: Partial<ScheduledRecord> = {}): ScheduledRecord => ({
  ...{ changeNumber, observer: 'o', action: 'a', endpoint: 'e', lane: `lane of ${changeNumber}`, party: '-' },
  ...{ due: NOW, debounceKey: null, since: null, maxWait: null, collapsed: null, configVersion: 1, ...of },
});
const debounced = (changeNumber: number, key: string, of: Partial<ScheduledRecord> = {}): ScheduledRecord =>
  scheduled(changeNumber, { debounceKey: key, since: NOW, maxWait: 10 * HOUR, collapsed: 1, ...FUTURE, ...of });
const cancelled = (changeNumber: number, lane: string): CancelRecord => ({
  changeNumber,
  observer: 'o',
  action: 'a',
  lane,
  configVersion: 1,
});

// Every driver behaves like this: a new one is a line in JOB_QUEUES, and is tested with it. The rest is in job-queue.test.ts.
describe.each(Object.entries(JOB_QUEUES))('%s: what waits for its time', (_name, open) => {
  let jobs: JobQueue;
  let leader: Claimant;
  beforeAll(() => void (jobs = open(bench.pool)));
  beforeEach(async () => {
    await bench.clear();
    leader = await bench.lead('first');
  });

  const put = (...records: ScheduledRecord[]): Promise<void> => bench.record(leader, { scheduled: records });
  const claim = (): Promise<ClaimedDelivery[]> => jobs.claim(leader, placesOf({ e: 40, f: 40 }), LONG);
  const due = async (): Promise<string> => (await jobs.due('main')) ?? 'nothing';
  const release = async (paused: readonly string[] = []): Promise<string[]> => (await jobs.release(leader, await due(), paused)).sort();
  const waiting = (): Promise<{ change: number; collapsed: number | null; hours: number }[]> =>
    bench.database.query(
      `select change_number::int as change, collapsed, round(extract(epoch from due_at - to_timestamp($1::float8 / 1000)) / 3600, 2)::float8 as hours
       from observers.pending_delivery where state = 'scheduled' order by change_number`,
      [NOW],
    );
  const skipped = (): Promise<{ change: number; message: string }[]> =>
    bench.database.query("select change_number::int as change, message from observers.attempt where outcome = 'skipped' order by 1");

  test('is claimed by nobody before it is released, and released by nobody before it is due', async () => {
    await put(scheduled(1, PAST), scheduled(2, FUTURE), scheduled(3, { ...PAST, endpoint: 'f' }));
    expect(await claim()).toEqual([]);
    expect(await release()).toEqual(['e', 'f']);
    expect(numbersOf(await claim())).toEqual([1, 3]);
    expect(await jobs.due('main')).toBeNull();
    expect(await jobs.due('other')).toBeNull();
  });

  test('is released up to the time that was asked for, and not what has become due since', async () => {
    await put(scheduled(1, PAST));
    const until = await due();
    await put(scheduled(2, { due: Date.parse(until) + 1 }));
    await jobs.release(leader, until, []);
    expect(numbersOf(await claim())).toEqual([1]);
    await eventually(() => jobs.due('main'), Boolean);
    await release();
    expect(numbersOf(await claim())).toEqual([2]);
  });

  test('is put aside where its observer is paused', async () => {
    await put(scheduled(1, PAST), scheduled(2, { ...PAST, observer: 'p', endpoint: 'f' }));
    expect(await release(['o'])).toEqual(['f']);
    expect(numbersOf(await claim())).toEqual([2]);
    expect(await bench.rows()).toMatchObject([{ state: 'paused' }, { state: 'running' }]);
  });

  test('is released by nobody who no longer leads', async () => {
    await put(scheduled(1, PAST));
    const until = await due();
    await bench.lead('second');
    expect(await jobs.release(leader, until, [])).toEqual([]);
    expect(await waiting()).toHaveLength(1);
  });

  test('is kept by a take-over though the reader comes to it once more, also when it was released', async () => {
    await bench.log(1, 2, 3);
    await put(scheduled(1, PAST), debounced(2, 'k', { ...PAST, since: NOW - HOUR }));
    await release();
    await put(scheduled(3, FUTURE));
    leader = await bench.lead('second');
    await jobs.takeOver(leader, BEGINNING, { strict: [], homes: [] });
    expect(await claim()).toMatchObject([
      { changeNumber: 1, collapsed: null },
      { changeNumber: 2, collapsed: 1 },
    ]);
    expect(await waiting()).toMatchObject([{ change: 3 }]);
  });

  test('goes where its action goes now, and to the orphans where there is none', async () => {
    await put(scheduled(1, PAST), scheduled(2, { ...PAST, observer: 'gone' }));
    leader = await bench.lead('second');
    const homes = [{ observer: 'o', action: 'a', endpoint: 'f' }];
    await jobs.takeOver(leader, { previous: BEYOND_EVERYTHING, target: null, after: 0 }, { strict: [], homes });
    expect(await release()).toEqual(['e', 'f']);
    expect(await jobs.adopt('main', ['f'], 'f')).toEqual(['f']);
    expect(numbersOf(await claim())).toEqual([1, 2]);
  });

  describe('with a key', () => {
    test('takes the place of what has the same key of its observer and action, within a group and over groups', async () => {
      await put(debounced(1, 'k'), debounced(2, 'other'), debounced(3, 'k', { due: NOW + 2 * HOUR, since: NOW + HOUR }));
      await put(debounced(4, 'k', { observer: 'p' }), debounced(5, 'k', { action: 'b' }));
      await put(debounced(6, 'k', { due: NOW + 3 * HOUR, since: NOW + 2 * HOUR }));
      expect(await waiting()).toEqual([
        { change: 2, collapsed: 1, hours: 1 },
        { change: 4, collapsed: 1, hours: 1 },
        { change: 5, collapsed: 1, hours: 1 },
        { change: 6, collapsed: 3, hours: 3 },
      ]);
      expect(await skipped()).toEqual([
        { change: 1, message: 'collapsed into change 3 (debounce)' },
        { change: 3, message: 'collapsed into change 6 (debounce)' },
      ]);
    });

    test('goes no later than so long after the first, and no sooner than the one before it', async () => {
      await put(debounced(1, 'k', { maxWait: 2 * HOUR }));
      await put(debounced(2, 'k', { due: NOW + 5 * HOUR, since: NOW + 4 * HOUR, maxWait: 2 * HOUR }));
      await put(debounced(3, 'l'));
      await put(debounced(4, 'l', { due: NOW, since: NOW - HOUR }));
      expect(await waiting()).toEqual([
        { change: 2, collapsed: 2, hours: 2 },
        { change: 4, collapsed: 2, hours: 1 },
      ]);
    });

    test('leaves alone what has been released', async () => {
      await put(debounced(1, 'k', PAST));
      await release();
      await put(debounced(2, 'k'));
      expect(await waiting()).toMatchObject([{ change: 2, collapsed: 1 }]);
      expect(await claim()).toMatchObject([{ changeNumber: 1, collapsed: 1 }]);
      expect(await skipped()).toEqual([]);
    });
  });

  describe('and is cancelled', () => {
    test('ends with a record of who did it; earlier changes of the lane alone', async () => {
      await put(scheduled(1, { lane: 'l', ...FUTURE }), scheduled(2, { lane: 'm', ...FUTURE }), scheduled(5, { lane: 'l', ...FUTURE }));
      await bench.record(leader, { cancelled: [cancelled(4, 'l')] });
      expect((await waiting()).map(({ change }) => change)).toEqual([2, 5]);
      expect(await skipped()).toEqual([{ change: 1, message: 'cancelled by change 4 (cancel_when)' }]);
    });

    test('also while it is queued or waits for another try; never what is under way, or never waited for a time', async () => {
      const lane = 'l';
      await put(scheduled(1, { lane, ...PAST }), scheduled(2, { lane, ...PAST }), scheduled(3, { lane, ...PAST }));
      await release();
      await bench.put(leader, retrying(2, { lane, after: LONG }), running(3, { lane }), queued(4, { lane }));
      await bench.record(leader, { cancelled: [cancelled(9, lane)] });
      expect(await bench.rows()).toMatchObject([{ change_number: '3' }, { change_number: '4' }]);
      expect(await skipped()).toHaveLength(2);
    });

    test('stands for nothing in what the same change makes wait', async () => {
      await put(debounced(1, 'k', { lane: 'l' }));
      await bench.record(leader, { cancelled: [cancelled(2, 'l')], scheduled: [debounced(2, 'k', { lane: 'l' })] });
      expect(await waiting()).toMatchObject([{ change: 2, collapsed: 1 }]);
      expect(await skipped()).toEqual([{ change: 1, message: 'cancelled by change 2 (cancel_when)' }]);
    });
  });
});
