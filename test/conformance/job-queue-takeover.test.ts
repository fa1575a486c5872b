import { createHash } from 'node:crypto';
import { BEGINNING, BEYOND_EVERYTHING, type Cursor } from '../../src/checkpoint/cursor';
import { pauseObserver, resumeObserver } from '../../src/delivery/pauses.sql';
import { laneOf } from '../../src/event/delivery';
import { requestRetries } from '../../src/redrive/redrive.sql';
import type { Arrangement } from '../../src/jobs/arrangement';
import type { Claimant, ClaimedDelivery, Inherited, JobQueue } from '../../src/jobs/job-queue';
import { JOB_QUEUES } from '../../src/jobs/jobs.module';
import {
  attemptOf,
  deadLetterOf,
  JobQueueBench,
  linesOf,
  LONG,
  numbersOf,
  placesOf,
  queued,
  range,
  retrying,
  running,
} from './job-queue-bench';

const ALL_READ: Cursor = { previous: BEYOND_EVERYTHING, target: null, after: 0 };

let bench: JobQueueBench;
beforeAll(async () => void (bench = await JobQueueBench.open()));
afterAll(() => bench.close());

// Every driver behaves like this: a new one is a line in JOB_QUEUES, and is tested with it. The rest is in job-queue.test.ts.
describe.each(Object.entries(JOB_QUEUES))('%s: a take-over', (_name, open) => {
  let jobs: JobQueue;
  let first: Claimant;
  let leader: Claimant;
  beforeAll(() => void (jobs = open(bench.pool)));
  beforeEach(async () => {
    await bench.clear();
    leader = first = await bench.lead('first');
  });

  /** By a new leader, which claims from then on. */
  const takeOver = async (order: Partial<Arrangement> = {}, checkpoint = ALL_READ): Promise<Inherited> => {
    leader = await bench.lead(`successor of ${leader.holder}`);
    return jobs.takeOver(leader, checkpoint, { strict: [], homes: [], ...order });
  };
  const claim = (free: Readonly<Record<string, number>> = { e: 40 }, term = leader): Promise<ClaimedDelivery[]> =>
    jobs.claim(term, placesOf(free), LONG);
  const claimNumbers = async (...asked: Parameters<typeof claim>): Promise<number[]> => numbersOf(await claim(...asked));
  const pause = (observer: string): Promise<boolean> => pauseObserver(bench.pool, 'main', observer, 'somebody', null);

  describe('of what is under way', () => {
    test('queues again what an earlier epoch had running, with the attempt that it had', async () => {
      await bench.put(first, queued(1), retrying(2, { attempt: 3 }), running(3, { attempt: 2 }));
      expect(await claimNumbers()).toEqual([1, 2]);
      await takeOver();
      expect(await claim({ e: 40 }, first)).toEqual([]);
      expect(linesOf(await claim())).toEqual(['1 queued 1', '2 queued 3', '3 queued 2']);
    });

    test('keeps the time of a retry that is not due', async () => {
      await bench.put(first, retrying(1, { after: LONG, attempt: 3 }));
      await takeOver();
      expect(await claim()).toEqual([]);
      await bench.makeDue(1);
      expect(linesOf(await claim())).toEqual(['1 retrying 3']);
    });

    test('gets everything that the earlier leader claims at the same time', async () => {
      await bench.put(first, ...range(1, 40).map((n) => queued(n)));
      const claims = range(1, 8).map(() => claim({ e: 5 }, first));
      await Promise.all([takeOver(), ...claims]);
      expect(await claim({ e: 5 }, first)).toEqual([]);
      expect(await claimNumbers()).toEqual(range(1, 40));
    });

    test('leaves another stream alone', async () => {
      const other = await bench.lead('first', 'other');
      await bench.log(1, 2, 3, 4);
      await bench.put(other, queued(1), running(2), queued(3, { strict: true, state: 'waiting' }), queued(4, { state: 'paused' }));
      await bench.put(other, queued(5, { state: 'paused', observer: 'p' }));
      await pause('o');
      const before = await bench.rows();
      const inherited = await takeOver({ strict: ['o'], homes: [{ observer: 'o', action: 'a', endpoint: 'new' }] }, BEGINNING);
      expect([inherited.backlogged, inherited.blocked]).toEqual([[], []]);
      expect(await bench.rows()).toEqual(before);
    });
  });

  describe('of what lies beyond the checkpoint', () => {
    test('forgets what was never tried, whatever it waits for', async () => {
      await bench.log(1, 2);
      const checkpoint = await bench.checkpoint();
      await bench.log(...range(3, 7));
      await bench.put(first, queued(1), queued(2), queued(3, { endpoint: 'f' }), running(4, { elapsed: null }), queued(7));
      await bench.put(first, queued(5, { strict: true, state: 'waiting' }), queued(6, { state: 'paused' }));
      expect(await claimNumbers({ e: 2, f: 1 })).toEqual([1, 2, 3]);
      expect(await takeOver({}, checkpoint)).toMatchObject({ backlogged: ['e'] });
      expect(await claimNumbers({ e: 40, f: 40 })).toEqual([1, 2]);
      expect(await bench.rows()).toHaveLength(2);
    });

    test('keeps what was tried', async () => {
      await bench.log(...range(1, 6));
      await bench.put(first, retrying(1), queued(2, { attempt: 2 }), retrying(3, { state: 'paused', after: 1 }));
      await bench.put(first, retrying(6, { after: LONG, attempt: 1 }));
      await bench.record(first, { pending: [queued(4)], attempts: [attemptOf(4)] });
      await bench.record(first, { pending: [queued(5)], deadLetters: [deadLetterOf(5)] });
      await takeOver({}, BEGINNING);
      for (const change of [3, 6]) await bench.makeDue(change);
      const expected = ['1 retrying 2', '2 queued 2', '3 retrying 2', '4 queued 1', '5 queued 1', '6 retrying 1'];
      expect(linesOf(await claim())).toEqual(expected);
    });

    test('forgets what another action has tried, and not this one', async () => {
      await bench.log(1, 2);
      await bench.record(first, { pending: [queued(1, { action: 'b' }), queued(2, { observer: 'p' })], attempts: [1, 2].map(attemptOf) });
      await bench.record(first, { deadLetters: [deadLetterOf(1), deadLetterOf(2)] });
      await takeOver({}, BEGINNING);
      expect(await bench.rows()).toEqual([]);
    });

    test('keeps what a person asked for', async () => {
      await bench.log(1, 2);
      await bench.put(first, queued(1, { redrive: true }), running(2, { redrive: true }));
      await takeOver({}, BEGINNING);
      expect(await claim()).toMatchObject([{ changeNumber: 1, redrive: true }, { changeNumber: 2, redrive: true }]); // prettier-ignore
    });

    test('in the middle of a window knows what of the window was read', async () => {
      await bench.log(1);
      const { previous } = await bench.checkpoint();
      await bench.log(2, 3, 4);
      const { previous: target } = await bench.checkpoint();
      await bench.log(5);
      await bench.put(first, ...range(1, 5).map((n) => queued(n)));
      await takeOver({}, { previous, target, after: 3 });
      expect(await claimNumbers()).toEqual([1, 2, 3]);
    });

    test('forgets a change that was under way at the checkpoint, though later ones were read', async () => {
      let checkpoint = ALL_READ;
      await bench.logAround(1, async () => {
        await bench.log(2);
        checkpoint = await bench.checkpoint();
      });
      await bench.put(first, queued(1), queued(2));
      await takeOver({}, checkpoint);
      expect(await claimNumbers()).toEqual([2]);
    });
  });

  describe('where observers are paused', () => {
    test('holds what waits of them, redrives that were asked for before too, and lets it go when they are resumed', async () => {
      await bench.put(first, queued(1), retrying(2), running(3, { attempt: 3 }), retrying(4, { after: LONG }));
      await bench.put(first, retrying(5, { redrive: true }), queued(6, { observer: 'p', endpoint: 'f' }));
      await pause('o');
      const inherited = await takeOver();
      expect([inherited.backlogged, inherited.pauses.all]).toEqual([['f'], ['o']]);
      expect(await claimNumbers({ e: 40, f: 40 })).toEqual([6]);
      await resumeObserver(bench.pool, 'main', 'o', 'test');
      expect(await claim()).toEqual([]);
      const { backlogged, pauses } = await takeOver();
      expect([[...backlogged].sort(), pauses.all]).toEqual([['e', 'f'], []]);
      expect(linesOf(await claim())).toEqual(['1 queued 1', '2 retrying 2', '3 queued 3', '5 retrying 2']);
      await bench.makeDue(4);
      expect(await claimNumbers()).toEqual([4]);
    });

    test('keeps what was put aside of them, and of no others', async () => {
      await bench.put(first, queued(1, { state: 'paused' }), queued(2, { state: 'paused', observer: 'p' }));
      await pause('o');
      expect((await takeOver()).pauses.all).toEqual(['o']);
      expect(linesOf(await claim())).toEqual(['2 queued 1']);
    });
  });

  test('takes back a redrive of an entity whose key no index takes', async () => {
    // Digests do not compress: a lane of their length would be no index entry.
    const entityKey = Array.from({ length: 60 }, (_, n) => createHash('sha256').update(String(n)).digest('hex')).join('');
    const letter = deadLetterOf(1, { entityKey });
    await bench.record(first, { deadLetters: [letter] });
    await requestRetries(bench.database.client, { ids: [letter.id], who: 'x', detail: null, config: 'current', snapshot: null });
    expect(linesOf(await claim())).toEqual(['1 retrying 5']);
    await takeOver();
    const [again] = await claim();
    expect(linesOf([again!])).toEqual(['1 queued 5']);
    expect(again?.lane).toBe(laneOf({ event: letter, observer: { name: 'o' }, action: { name: 'a' } }));
  });

  test('puts deliveries where their action goes now, but for those of an older configuration', async () => {
    const old = { endpoint: 'old' };
    await bench.put(first, queued(1, old), queued(2, { ...old, action: 'b' }), queued(3, { ...old, observer: 'p' }), running(4, old));
    await bench.put(first, retrying(5, old), queued(6, { ...old, action: 'c' }), queued(7, { ...old, state: 'paused' }));
    const letter = deadLetterOf(8, old);
    await bench.record(first, { deadLetters: [letter] });
    await requestRetries(bench.database.client, { ids: [letter.id], who: 'x', detail: null, config: 'original', snapshot: null });
    const homes = [['o', 'a', 'new'], ['o', 'c', 'newer'], ['p', 'a', 'old']] as const; // prettier-ignore
    const { backlogged } = await takeOver({ homes: homes.map(([observer, action, endpoint]) => ({ observer, action, endpoint })) });
    expect([...backlogged].sort()).toEqual(['new', 'newer', 'old']);
    expect(await claimNumbers({ new: 40 })).toEqual([1, 4, 5, 7]);
    expect(await claimNumbers({ newer: 40 })).toEqual([6]);
    expect(await claimNumbers({ old: 40 })).toEqual([2, 3, 8]);
  });

  test('leaves what stands at a branch of the endpoint where it is, and takes it along when the action goes elsewhere', async () => {
    const at = { endpoint: 'push: https://a' };
    await bench.put(first, queued(1, at), queued(2, { ...at, action: 'b' }));
    const homes = [{ observer: 'o', action: 'a', endpoint: 'push' }, { observer: 'o', action: 'b', endpoint: 'fcm' }]; // prettier-ignore
    expect([...(await takeOver({ homes })).backlogged].sort()).toEqual(['fcm', 'push: https://a']);
    expect(await claimNumbers({ 'push: https://a': 20 })).toEqual([1]);
    expect(await claimNumbers({ fcm: 20 })).toEqual([2]);
  });

  describe('where order is strict', () => {
    const inLane = (lane: string, of: object = {}): { lane: string; strict: boolean } => ({ lane, strict: true, ...of });

    test('lets the first of each lane go and the others wait, when it has become so', async () => {
      const loose = (lane: string): object => inLane(lane, { strict: false });
      await bench.put(first, retrying(1, { ...loose('x'), after: LONG }), queued(2, loose('x')), retrying(3, loose('x')));
      await bench.put(first, queued(5, loose('y')), queued(4, loose('y')), queued(6, { ...loose('y'), observer: 'p' }));
      expect([...(await takeOver({ strict: ['o'] })).blocked].sort()).toEqual(['x', 'y']);
      expect(await claimNumbers()).toEqual([4, 6]);
      await bench.makeDue(1);
      expect(await claimNumbers()).toEqual([1]);
      expect(await claim()).toEqual([]);
    });

    test('gives a head to a lane that has none', async () => {
      await bench.put(first, queued(3, inLane('x', { state: 'waiting' })), queued(2, inLane('x', { state: 'waiting' })));
      const { backlogged, blocked } = await takeOver({ strict: ['o'] });
      expect([backlogged, blocked]).toEqual([['e'], ['x']]);
      expect(linesOf(await claim())).toEqual(['2 queued 1']);
    });

    test('keeps the head that a lane has: one that ran, one that is parked, one that is held', async () => {
      await bench.put(first, running(1, inLane('ran')), queued(2, inLane('ran', { state: 'waiting' })));
      await bench.put(first, queued(3, inLane('parked', { state: 'parked' })), queued(4, inLane('parked', { state: 'waiting' })));
      const held = { observer: 'p', state: 'paused' };
      await bench.put(first, queued(5, inLane('held', held)), queued(6, inLane('held', { ...held, state: 'waiting' })));
      await pause('p');
      const { backlogged, blocked } = await takeOver({ strict: ['o', 'p'] });
      expect([backlogged, [...blocked].sort()]).toEqual([['e'], ['held', 'parked', 'ran']]);
      expect(await claimNumbers()).toEqual([1]);
    });

    test('lets a whole lane go when it is strict no longer, what was parked too', async () => {
      await bench.put(first, queued(1, inLane('x', { state: 'parked', attempt: 4 })), queued(2, inLane('x', { state: 'waiting' })));
      const { backlogged, blocked } = await takeOver();
      expect([backlogged, blocked]).toEqual([['e'], []]);
      expect(linesOf(await claim())).toEqual(['1 retrying 4', '2 queued 1']);
    });

    test('lets a redrive go at once, which nothing waits for', async () => {
      const [redrive, loose] = [inLane('x', { redrive: true }), { lane: 'x' }];
      await bench.put(
        first,
        queued(1, redrive),
        retrying(2, loose),
        queued(3, loose),
        queued(4, redrive),
        queued(5, { ...redrive, lane: 'y' }),
      );
      expect((await takeOver({ strict: ['o'] })).blocked).toEqual(['x']);
      expect(linesOf(await claim())).toEqual(['1 queued 1', '2 retrying 2', '4 queued 1', '5 queued 1']);
    });
  });

  describe('tells', () => {
    test('that there is nothing', async () => {
      const { backlogged, blocked, pauses } = await takeOver({ strict: ['o'] });
      expect([backlogged, blocked, pauses.all]).toEqual([[], [], []]);
    });

    test('where deliveries are queued, and not where they wait for their time', async () => {
      await bench.put(first, queued(1), queued(2), running(3, { endpoint: 'f' }), retrying(4, { endpoint: 'retries' }));
      await bench.put(first, queued(5, { endpoint: 'strict', lane: 'x' }), queued(6, { endpoint: 'behind', lane: 'x', action: 'b' }));
      const { backlogged, blocked } = await takeOver({ strict: ['o'] });
      expect([...backlogged].sort()).toEqual(['e', 'f', 'strict']);
      expect([...blocked].sort()).toEqual(['lane of 1', 'lane of 2', 'lane of 3', 'lane of 4', 'x']);
    });
  });

  test('by who no longer leads throws, and changes nothing', async () => {
    await bench.log(...range(1, 5));
    await bench.put(first, queued(1), running(2), queued(3, { state: 'waiting', strict: true }), retrying(4, { lane: 'lane of 1' }));
    await bench.put(first, queued(5, { state: 'paused', observer: 'p' }));
    await pause('o');
    const before = await bench.rows();
    leader = await bench.lead('successor');
    const order = { strict: ['o'], homes: [{ observer: 'o', action: 'a', endpoint: 'new' }] };
    for (const checkpoint of [BEGINNING, ALL_READ]) await expect(jobs.takeOver(first, checkpoint, order)).rejects.toThrow();
    await expect(jobs.takeOver({ ...leader, epoch: leader.epoch + 1 }, ALL_READ, order)).rejects.toThrow();
    expect(await bench.rows()).toEqual(before);
    expect(await claimNumbers()).toEqual([1, 4]);
  });
});
