import type { Claimant, ClaimedDelivery, JobQueue } from '../../src/jobs/job-queue';
import { acquireLease, releaseLease } from '../../src/ha/lease.sql';
import { JOB_QUEUES } from '../../src/jobs/jobs.module';
import { requestRetries, type ConfigChoice } from '../../src/redrive/redrive.sql';
import { until } from '../support/until';
import { deadLetterOf, JobQueueBench, linesOf, LONG, numbersOf, placesOf, queued, range, retrying, running } from './job-queue-bench';

const HOSTILE_LANE = `Order\n{"a",'b'}\\,NULL €\no\na`;

let bench: JobQueueBench;
beforeAll(async () => void (bench = await JobQueueBench.open()));
afterAll(() => bench.close());

// Every driver behaves like this: a new one is a line in JOB_QUEUES, and is tested with it. What it owes a new leader is in
// job-queue-takeover.test.ts.
describe.each(Object.entries(JOB_QUEUES))('%s', (_name, open) => {
  let jobs: JobQueue;
  let leader: Claimant;
  beforeAll(() => void (jobs = open(bench.pool)));
  beforeEach(async () => {
    await bench.clear();
    leader = await bench.lead('leader');
  });

  const claim = (free: Readonly<Record<string, number>> = { e: 20 }, lease = LONG, term = leader): Promise<ClaimedDelivery[]> =>
    jobs.claim(term, placesOf(free), lease);
  const claimNumbers = async (...asked: Parameters<typeof claim>): Promise<number[]> => numbersOf(await claim(...asked));

  describe('claim', () => {
    test('gives queued deliveries in the order of their changes, whenever they were written', async () => {
      await bench.put(leader, queued(100), queued(9), queued(Number.MAX_SAFE_INTEGER));
      await bench.put(leader, queued(10, { endpoint: 'f' }), queued(2));
      expect(await claimNumbers({ f: 2, e: 2 })).toEqual([2, 9, 10]);
      expect(await claimNumbers({ f: 2, e: 2 })).toEqual([100, Number.MAX_SAFE_INTEGER]);
    });

    test('gives a retry when it is due, and not before', async () => {
      await bench.put(leader, retrying(1, { after: LONG, attempt: 3 }));
      expect(await claim()).toEqual([]);
      await bench.makeDue(1);
      expect(linesOf(await claim())).toEqual(['1 retrying 3']);
    });

    test('gives that retry first that has been due longest', async () => {
      await bench.put(leader, retrying(1), retrying(2), retrying(3));
      for (const [change, seconds] of [[1, 10], [2, 30], [3, 20]] as const) await bench.makeDue(change, seconds); // prettier-ignore
      expect([await claimNumbers({ e: 1 }), await claimNumbers({ e: 1 }), await claimNumbers({ e: 1 })]).toEqual([[2], [3], [1]]);
    });

    test('gives no more of an endpoint than it has places for, and none of one that has no places', async () => {
      await bench.put(leader, ...range(1, 5).map((n) => queued(n)), ...range(6, 8).map((n) => queued(n, { endpoint: 'full' })));
      await bench.put(leader, retrying(9, { endpoint: 'full' }), queued(10, { endpoint: 'unasked' }));
      expect(await claimNumbers({ e: 2, full: 0 })).toEqual([1, 2]);
      expect(await claimNumbers({ full: 0 })).toEqual([]);
      expect(await claimNumbers({})).toEqual([]);
      expect(await claimNumbers({ e: 1, unasked: 3, nothing: 4 })).toEqual([3, 10]);
    });

    test('gives parties their turns, whoever came first, and each in the order of its changes', async () => {
      await bench.put(
        leader,
        ...range(1, 100).map((n) => queued(n, { party: 'a' })),
        ...range(101, 103).map((n) => queued(n, { party: 'b' })),
      );
      await bench.put(leader, queued(104, { party: 'c' }));
      expect(await claimNumbers({ e: 6 })).toEqual([1, 2, 101, 102, 104]);
      expect(await claimNumbers({ e: 2 })).toEqual([3, 103]);
      expect(await claimNumbers({ e: 2 })).toEqual([4, 5]);
    });

    test('comes round to every party, also with fewer places than there are parties', async () => {
      for (const party of ['a', 'b', 'c', 'd'])
        await bench.put(leader, ...range(1, 5).map((n) => queued(party.charCodeAt(0) * 10 + n, { party })));
      const turns: number[] = [];
      for (let i = 0; i < 8; i++) turns.push(...(await claimNumbers({ e: 1 })));
      expect(turns.map((n) => String.fromCharCode(Math.floor(n / 10))).join('')).toMatch(/^(abcd|bcda|cdab|dabc){2}$/);
    });

    test('keeps the order of a lane whose changes have several parties', async () => {
      const lane = 'moves house';
      await bench.put(leader, queued(1, { lane, party: 'z' }), queued(2, { lane, party: 'a' }), queued(3, { lane, party: 'm' }));
      await bench.put(leader, queued(4, { party: 'm' }));
      const claimed: number[] = [];
      for (let i = 0; i < 6; i++) claimed.push(...(await claimNumbers({ e: 2 })));
      expect(claimed.filter((n) => n < 4)).toEqual([1, 2, 3]);
      expect(claimed).toContain(4);
    });

    test('keeps a quarter of the places for retries that are due, beside a backlog that would take them all', async () => {
      await bench.put(leader, ...range(1, 20).map((n) => queued(n)), ...range(31, 40).map((n) => retrying(n)));
      const claimed = await claim({ e: 8 });
      expect(claimed.filter(({ was }) => was === 'retrying')).toHaveLength(2);
      const fresh = numbersOf(claimed.filter(({ was }) => was === 'queued'));
      expect(fresh.length).toBeGreaterThanOrEqual(6);
      expect(fresh).toEqual(range(1, fresh.length));
    });

    test('gives retries for a quarter of the places besides, where both are due', async () => {
      await bench.put(leader, ...range(1, 20).map((n) => queued(n)), ...range(31, 40).map((n) => retrying(n)));
      expect(await claimNumbers({ e: 8 })).toEqual([...range(1, 8), 31, 32]);
    });

    test('gives no more than the most that an endpoint takes, be it a retry or one that is queued, and leaves the rest to the next', async () => {
      await bench.put(
        leader,
        queued(1),
        queued(2),
        retrying(3),
        queued(4, { endpoint: 'f' }),
        retrying(5, { endpoint: 'g' }),
        queued(6, { endpoint: 'g' }),
      );
      const one = (endpoint: string): Promise<ClaimedDelivery[]> => jobs.claim(leader, [{ endpoint, free: 1, most: 1 }], LONG);
      const claims = [await one('e'), await one('e'), await one('e'), await one('e'), await one('f')].map(numbersOf);
      expect(claims.map(({ length }) => length)).toEqual([1, 1, 1, 0, 1]);
      expect(claims.slice(0, 3).flat().sort()).toEqual([1, 2, 3]);
      expect(await Promise.all([one('g'), one('g')]).then((both) => both.map(numbersOf).flat().sort())).toEqual([5, 6]);
    });

    test('of two at the same time never gives one delivery to both, nor withholds one from both', async () => {
      const retries = range(101, 108).map((n) => retrying(n, { endpoint: 'f' }));
      await bench.put(leader, ...range(1, 100).map((n) => queued(n)), ...retries);
      const claims = await Promise.all(range(1, 4).map(() => claimNumbers({ e: 25, f: 8 })));
      expect(claims.flat().sort((a, b) => a - b)).toEqual(range(1, 108));
    });

    test('does not give out again what is claimed, or under way without a claim', async () => {
      await bench.put(leader, queued(1), retrying(2), running(3));
      expect(await claimNumbers()).toEqual([1, 2]);
      expect(await claim()).toEqual([]);
    });

    test('does not give out what waits for its turn, is parked or paused', async () => {
      await bench.put(leader, queued(1, { strict: true, state: 'waiting' }), queued(2, { strict: true, state: 'parked' }));
      await bench.put(leader, queued(3, { state: 'paused' }), retrying(4, { state: 'paused', after: 1 }));
      expect(await claim()).toEqual([]);
    });

    test('gives a stream what is its own', async () => {
      const other = await bench.lead('leader', 'other');
      await bench.put(leader, queued(1), retrying(2));
      await bench.put(other, queued(3), retrying(4));
      expect(await claimNumbers({ e: 20 }, LONG, other)).toEqual([3, 4]);
      expect(await claimNumbers()).toEqual([1, 2]);
    });

    test('gives nothing to who no longer leads, or does not lead yet', async () => {
      await bench.put(leader, queued(1), retrying(2));
      const successor = await bench.lead('successor');
      expect(await claim()).toEqual([]);
      const again = await bench.lead('leader');
      expect(await claim()).toEqual([]);
      expect(await claim({ e: 20 }, LONG, successor)).toEqual([]);
      expect(await claim({ e: 20 }, LONG, { ...again, epoch: again.epoch + 1 })).toEqual([]);
      expect(await claimNumbers({ e: 20 }, LONG, again)).toEqual([1, 2]);
    });

    test('gives nothing to who loses the lead while it is under way', async () => {
      await bench.put(leader, queued(1), retrying(2));
      const { client } = bench.database;
      await client.query('begin');
      await releaseLease(client, 'main', leader.epoch);
      const epoch = await acquireLease(client, 'main', 'successor', null, LONG);
      let answered = false;
      const claimed = claim().finally(() => (answered = true));
      await until(async () => answered || (await bench.isAnybodyWaiting()));
      await client.query('commit');
      expect(await claimed).toEqual([]);
      expect(await claimNumbers({ e: 20 }, LONG, { stream: 'main', holder: 'successor', epoch: epoch ?? NaN })).toEqual([1, 2]);
    });
  });

  describe('what comes with a claim', () => {
    test('is all that the ledger has written', async () => {
      const elapsed = 3_600_000;
      await bench.put(
        leader,
        retrying(1, { observer: 'ö', action: 'b', lane: HOSTILE_LANE, party: 'tenant\nö', attempt: 3, appointments: 7, elapsed }),
      );
      const [claimed, ...more] = await claim();
      const where = { changeNumber: 1, observer: 'ö', action: 'b', endpoint: 'e', lane: HOSTILE_LANE, party: 'tenant\nö' };
      const rest = {
        was: 'retrying',
        attempt: 3,
        appointments: 7,
        elapsed: expect.any(Number),
        redrive: false,
        diedOf: null,
        configVersion: null,
        collapsed: null,
      };
      expect([claimed, more]).toEqual([{ ...where, ...rest }, []]);
      expect(claimed!.elapsed).toBeGreaterThanOrEqual(elapsed);
      expect(claimed!.elapsed).toBeLessThan(elapsed + LONG);
    });

    test('is no time since a first try when there was none', async () => {
      await bench.put(leader, queued(1));
      const [claimed] = await claim();
      expect(claimed!.elapsed ?? 0).toBeLessThan(LONG);
    });

    test.each<[ConfigChoice, number | null]>([
      ['current', null],
      ['original', 7],
    ])('is what its dead letter died of, and the configuration to use, for a redrive with the %s one', async (config, configVersion) => {
      const letter = deadLetterOf(1, { error: 'condition', attempts: 4, configVersion: 7 });
      await bench.record(leader, { deadLetters: [letter] });
      await requestRetries(bench.database.client, { ids: [letter.id], who: 'somebody', detail: null, config, snapshot: null });
      const lane = 'Order\n1\no\na';
      const expected = { changeNumber: 1, was: 'retrying', lane, attempt: 5, redrive: true, diedOf: 'condition', configVersion };
      expect(await claim()).toMatchObject([expected]);
    });

    test('is nothing that something died of, when there is no dead letter or nobody asked for a redrive', async () => {
      await bench.record(leader, { pending: [queued(1, { redrive: true }), queued(2)], deadLetters: [deadLetterOf(2)] });
      await bench.record(leader, { pending: [queued(3, { redrive: true })], deadLetters: [deadLetterOf(3, { action: 'other' })] });
      const claimed = (await claim()).map(({ changeNumber, redrive, diedOf }) => [changeNumber, redrive, diedOf]);
      expect(claimed).toEqual([[1, true, null], [2, false, null], [3, true, null]]); // prettier-ignore
    });
  });

  describe('sweep', () => {
    test('queues again what was claimed and ran out, with the attempt that it had', async () => {
      await bench.put(leader, queued(1), retrying(2, { attempt: 3 }), running(3, { claim: 1, attempt: 2 }));
      expect(await claimNumbers({ e: 20 }, 1)).toEqual([1, 2]);
      let freed = 0;
      await until(async () => (freed += await jobs.sweep('main', [])) >= 3);
      expect([freed, await jobs.sweep('main', [])]).toEqual([3, 0]);
      expect(linesOf(await claim())).toEqual(['1 queued 1', '2 queued 3', '3 queued 2']);
    });

    test('leaves alone a claim that has not run out', async () => {
      await bench.put(leader, queued(1), running(2), queued(3, { endpoint: 'f' }), retrying(4, { after: LONG }));
      expect(await claimNumbers()).toEqual([1]);
      const before = await bench.rows();
      expect(await jobs.sweep('main', [])).toBe(0);
      expect(await bench.rows()).toEqual(before);
    });

    test('leaves alone what is held in memory, and what is of another stream', async () => {
      await bench.put(leader, queued(1), queued(2), queued(2, { action: 'b' }), queued(2, { observer: 'p' }));
      await claim({ e: 20 }, 1);
      const held = [1, 2].map((changeNumber) => ({ changeNumber, observer: 'o', action: 'a' }));
      let freed = 0;
      await until(async () => (freed += await jobs.sweep('main', held)) >= 2);
      expect((await claim()).map(({ observer, action }) => observer + action).sort()).toEqual(['ob', 'pa']);
      expect(await jobs.sweep('main', held)).toBe(0);
      expect(await jobs.sweep('other', [])).toBe(0);
      expect(await jobs.sweep('main', held.slice(1))).toBe(1);
      expect(await claimNumbers()).toEqual([1]);
    });
  });

  describe('adopt', () => {
    test('puts what nobody knows under the endpoint that is given, and leaves the rest', async () => {
      const other = await bench.lead('leader', 'other');
      await bench.put(leader, queued(1), queued(2, { endpoint: 'gone' }), retrying(3, { endpoint: 'gone too', attempt: 3 }));
      await bench.put(leader, queued(4, { endpoint: 'adopted' }), retrying(5, { endpoint: 'f' }));
      await bench.put(leader, retrying(6, { endpoint: 'gone', after: LONG }));
      await bench.put(other, queued(7, { endpoint: 'gone' }));
      await jobs.adopt('main', ['e', 'f', 'adopted'], 'adopted');
      const places = { gone: 20, 'gone too': 20 };
      expect(await claim(places)).toEqual([]);
      expect(linesOf(await claim({ adopted: 20 }))).toEqual(['2 queued 1', '3 retrying 3', '4 queued 1']);
      expect(await claimNumbers({ e: 20, f: 20 })).toEqual([1, 5]);
      await bench.makeDue(6);
      expect(await claim({ adopted: 20 })).toMatchObject([{ changeNumber: 6, endpoint: 'adopted' }]);
      expect(await claimNumbers(places, LONG, other)).toEqual([7]);
    });

    test('puts those of a branch that nobody knows under its endpoint, where that is known, and tells where some are queued', async () => {
      await bench.put(
        leader,
        queued(1, { endpoint: 'push: https://a' }),
        queued(2, { endpoint: 'push: https://b' }),
        queued(3, { endpoint: 'push' }),
      );
      await bench.put(leader, retrying(4, { endpoint: 'push: https://b' }), queued(5, { endpoint: 'other: https://b' }));
      expect((await jobs.adopt('main', ['push', 'push: https://a', 'adopted'], 'adopted')).sort()).toEqual(['adopted', 'push']);
      expect(await claimNumbers({ push: 20 })).toEqual([2, 3, 4]);
      expect(await claimNumbers({ 'push: https://a': 20 })).toEqual([1]);
      expect(await claimNumbers({ adopted: 20 })).toEqual([5]);
      await bench.put(leader, retrying(6, { endpoint: 'push: https://c' }));
      expect(await jobs.adopt('main', ['push'], 'adopted')).toEqual([]);
    });
  });

  describe('drained', () => {
    test('tells exactly those endpoints of which nothing is queued', async () => {
      const other = await bench.lead('leader', 'other');
      await bench.put(leader, queued(1, { endpoint: 'retries' }), retrying(2, { endpoint: 'retries' }));
      await bench.put(leader, queued(3, { endpoint: 'claimed' }), running(4, { endpoint: 'claimed' }));
      await bench.put(leader, queued(5, { endpoint: 'backlogged' }), queued(6, { endpoint: 'unasked' }));
      await bench.put(other, queued(7, { endpoint: 'elsewhere' }));
      await bench.put(leader, retrying(8, { endpoint: 'only retries' }), queued(9, { endpoint: 'paused', state: 'paused' }));
      const nothing = ['elsewhere', 'only retries', 'paused', 'unheard of'];
      const asked = ['retries', 'claimed', 'backlogged', ...nothing];
      expect((await jobs.drained('main', asked)).sort()).toEqual(nothing);
      expect(await claimNumbers({ retries: 1, claimed: 1 })).toEqual([1, 2, 3]);
      expect((await jobs.drained('main', asked)).sort()).toEqual(['claimed', ...nothing, 'retries'].sort());
      expect(await jobs.drained('main', [])).toEqual([]);
    });
  });
});
