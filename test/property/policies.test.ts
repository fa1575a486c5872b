import fc from 'fast-check';
import type { RetryPolicy } from '../../src/event/definitions';
import { failed, type ErrorKind, type Outcome } from '../../src/event/outcome';
import { Lanes } from '../../src/pipeline/lanes';
import { Progress, type Reading } from '../../src/checkpoint/progress';
import { backOff } from '../../src/resilience/back-off';
import { disposition, FREE_APPOINTMENTS, SOONEST_APPOINTMENT } from '../../src/resilience/disposition';
import { ERROR_KINDS } from '../../src/resilience/error-kinds';
import { containing } from '../support/texts';

const milliseconds = fc.integer({ min: 0, max: 90_000_000 });
const policy: fc.Arbitrary<RetryPolicy> = fc.record({
  strategy: fc.constantFrom('exponential', 'linear', 'fixed', 'schedule'),
  maxAttempts: fc.integer({ min: 1, max: 1_000 }),
  initialDelay: milliseconds,
  maxDelay: milliseconds,
  maxElapsed: fc.option(milliseconds),
  schedule: fc.array(milliseconds, { minLength: 1, maxLength: 10 }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('back-off never exceeds its ceiling, never goes below zero, and ends with the attempts', () => {
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 2_000 }), random, (one, attempts, dice) => {
      const wait = backOff(one, attempts, dice);
      if (attempts >= one.maxAttempts) expect(wait).toBeNull();
      else if (one.strategy === 'schedule') expect(wait).toBe(one.schedule[attempts - 1] ?? null);
      else {
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(one.maxDelay);
      }
    }),
  );
});

test('exponential back-off has full jitter: its ceiling doubles, and any wait below it is possible', () => {
  const one: RetryPolicy = {
    strategy: 'exponential',
    maxAttempts: 50,
    initialDelay: 1_000,
    maxDelay: 60_000,
    maxElapsed: null,
    schedule: [],
  };
  expect([1, 2, 3, 6, 7, 40].map((attempt) => backOff(one, attempt, 0.999999999))).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  expect(backOff(one, 7, 0)).toBe(0);
});

const KINDS = Object.keys(ERROR_KINDS) as ErrorKind[];
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ ok: fc.constant(true as const), status: fc.option(fc.constant(204)) }),
  fc
    .record({
      error: fc.constantFrom(...KINDS),
      status: fc.option(fc.integer({ min: 100, max: 599 })),
      retryAfter: fc.option(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    })
    .map(({ error, ...more }) => failed(error, 'x', more)),
);

test('every outcome has a disposition, waits are capped, and nothing is tried after max_elapsed', () => {
  fc.assert(
    fc.property(
      outcome,
      policy,
      fc.integer({ min: 1, max: 1_000 }),
      fc.nat(40),
      milliseconds,
      random,
      (one, retry, attempt, appointments, elapsed, dice) => {
        const decided = disposition(one, retry, { attempt, appointments, elapsed, random: dice });
        if (one.ok) expect(decided.is).toBe('succeeded');
        if (decided.is !== 'retry' || (!one.ok && one.error === 'busy')) return;
        expect(decided.after).toBeLessThanOrEqual(Math.max(retry.maxDelay, SOONEST_APPOINTMENT, ...retry.schedule));
        if (!decided.counts) expect(decided.appointments).toBeLessThanOrEqual(FREE_APPOINTMENTS);
        if (!decided.counts) expect(decided.after).toBeGreaterThanOrEqual(SOONEST_APPOINTMENT);
        if (retry.maxElapsed !== null) expect(elapsed + decided.after).toBeLessThanOrEqual(retry.maxElapsed);
        if (decided.counts) expect(attempt).toBeLessThan(retry.maxAttempts);
      },
    ),
  );
});

const FAST: RetryPolicy = { strategy: 'fixed', maxAttempts: 3, initialDelay: 10, maxDelay: 60_000, maxElapsed: null, schedule: [] };
const decide = (error: ErrorKind, status: number | null = null, retryAfter: number | null = null, attempt = 1, appointments = 0) =>
  disposition(failed(error, 'x', { status, retryAfter }), FAST, { attempt, appointments, elapsed: 0, random: 0 });

test.each([
  [408, 'retry'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'retry'],
  [502, 'retry'],
  [503, 'retry'],
  [599, 'retry'],
  [400, 'dead'],
  [401, 'dead'],
  [403, 'dead'],
  [404, 'dead'],
  [409, 'dead'],
  [422, 'dead'],
] as const)('status %i: %s', (status, is) => expect(decide('http_status', status).is).toBe(is));

const DECIDED = [
  ['timeout', 'retry'],
  ['connection', 'retry'],
  ['dns', 'retry'],
  ['batch_refused', 'retry'],
  ['proxy', 'retry'],
  ['token', 'retry'],
  ['token_refused', 'retry'],
  ['interrupted', 'retry'],
  ['internal', 'retry'],
  ['smtp_temporary', 'retry'],
  ['smtp_rejected', 'dead'],
  ['unavailable', 'retry'],
  ['lookup', 'retry'],
  ['refused', 'dead'],
  ['database_temporary', 'retry'],
  ['database_error', 'dead'],
  ['gone', 'dead'],
  ['redirect', 'dead'],
  ['tls', 'dead'],
  ['blocked_address', 'dead'],
  ['template', 'dead'],
  ['condition', 'dead'],
  ['configuration', 'dead'],
  ['network', 'retry'],
  ['busy', 'retry'],
  ['lane', 'retry'],
  ['loop', 'dead'],
] as const;

test.each(DECIDED)('%s: %s', (error, is) => expect(decide(error).is).toBe(is));

test('no kind of error is left out above', () =>
  expect(['http_status', ...DECIDED.map(([error]) => error)].sort()).toEqual([...KINDS].sort()));

test('Retry-After with 429 and 503 is an appointment that uses up no attempt, with 500 it only lengthens the wait', () => {
  expect(decide('http_status', 429, 5_000, 3)).toMatchObject({ is: 'retry', after: 5_000, counts: false });
  expect(decide('http_status', 503, 5_000, 3)).toMatchObject({ is: 'retry', after: 5_000, counts: false });
  expect(decide('http_status', 500, 5_000)).toMatchObject({ is: 'retry', after: 5_000, counts: true });
  expect(decide('http_status', 429, 10 * 365 * 86_400_000)).toMatchObject({ is: 'retry', after: 60_000, counts: false });
  expect(decide('http_status', 500, null, 3).is).toBe('dead');
});

test.each([0, 1, 999])(
  'an appointment in %i ms is kept after a second, and never before the wait that the policy itself would take',
  (asked) => {
    expect(decide('http_status', 429, asked)).toMatchObject({ is: 'retry', after: 1_000, counts: false });
    const slow: RetryPolicy = { ...FAST, strategy: 'exponential', initialDelay: 8_000 };
    const wait = (random: number): unknown =>
      disposition(failed('http_status', 'x', { status: 503, retryAfter: asked }), slow, {
        attempt: 1,
        appointments: 3,
        elapsed: 0,
        random,
      });
    expect(wait(0)).toMatchObject({ after: 1_000, counts: false });
    expect(wait(0.75)).toMatchObject({ after: 6_000, counts: false });
    const listed: RetryPolicy = { ...FAST, strategy: 'schedule', maxAttempts: 3, maxDelay: 0, schedule: [5_000, 7_000] };
    const last = { attempt: 3, appointments: 0, elapsed: 0, random: 0 };
    expect(disposition(failed('http_status', 'x', { status: 429, retryAfter: asked }), listed, last)).toMatchObject({
      after: 7_000,
      counts: false,
    });
  },
);

test('twenty appointments in a row are free; then each uses up an attempt, until the policy grants none, and that is said', () => {
  let [attempt, appointments, requests] = [1, 0, 0];
  let decided = decide('http_status', 429, 0);
  for (; decided.is === 'retry'; requests++) {
    decided = decide('http_status', 429, 0, attempt, appointments);
    if (decided.is === 'retry') [attempt, appointments] = [attempt + (decided.counts ? 1 : 0), decided.appointments];
  }
  expect(requests).toBe(FREE_APPOINTMENTS + FAST.maxAttempts);
  expect(decided).toMatchObject({ is: 'dead', because: 'all 3 attempts failed', note: containing('23 times in a row') });
});

test('only appointments are in a row with one another, and waiting for a dedup key or being cut off by a stop is neither here nor there', () => {
  expect(decide('http_status', 429, 0, 1, 19)).toMatchObject({ appointments: 20, counts: false });
  expect(decide('http_status', 429, 0, 1, 20)).toMatchObject({ appointments: 21, counts: true });
  expect(decide('http_status', 429, null, 1, 20)).toMatchObject({ appointments: 0, counts: true });
  expect(decide('timeout', null, null, 1, 20)).toMatchObject({ appointments: 0, counts: true });
  expect(decide('busy', null, 250, 1, 20)).toEqual({ is: 'retry', after: 250, counts: false, appointments: 20, note: null });
});

test('lanes: within a lane one at a time in the order of entry, whatever ends or gives up when', () => {
  const command = fc.oneof(fc.record({ enter: fc.nat(3) }), fc.record({ leave: fc.nat(20) }));
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const lanes = new Lanes<{ start(): void; lane: string; number: number; started: boolean }>();
      const inside: { start(): void; lane: string; number: number; started: boolean }[] = [];
      let number = 0;
      for (const one of commands) {
        if ('enter' in one) {
          const task = { lane: `lane ${one.enter}`, number: number++, started: false, start: () => void (task.started = true) };
          inside.push(task);
          lanes.enter(task.lane, task);
        } else if (inside.length > 0) {
          const [task] = inside.splice(one.leave % inside.length, 1);
          lanes.leave(task!.lane, task!);
        }
        for (const lane of new Set(inside.map((task) => task.lane))) {
          const own = inside.filter((task) => task.lane === lane).sort((a, b) => a.number - b.number);
          expect(own.map(({ started }) => started)).toEqual(own.map((_task, i) => i === 0));
        }
        expect(lanes.size).toBe(new Set(inside.map(({ lane }) => lane)).size);
      }
    }),
  );
});

test('the checkpoint is always the longest finished prefix', () => {
  const command = fc.oneof(fc.constant('begin' as const), fc.constant('pass' as const), fc.nat(30));
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300 }), (commands) => {
      const progress = new Progress();
      const open: { reading: Reading; after: number }[] = [];
      let after = 0;
      let taken = 0;
      for (const one of commands) {
        const cursor = { previous: 'p', target: 't', after: ++after };
        if (one === 'begin') open.push({ reading: progress.begin(cursor), after });
        else if (one === 'pass') progress.pass(cursor);
        else if (open.length > 0) progress.finish(open.splice(one % open.length, 1)[0]!.reading);
        taken = progress.take()?.after ?? taken;
        const oldest = Math.min(Infinity, ...open.map((entry) => entry.after));
        const last = one === 'begin' || one === 'pass' ? after : after - 1;
        if (oldest === Infinity) expect(taken).toBeLessThanOrEqual(last);
        expect(taken).toBeLessThan(oldest);
        expect(progress.inFlight).toBe(open.length);
      }
      for (const { reading } of open) progress.finish(reading);
      const end = progress.take()?.after ?? taken;
      expect(progress.inFlight).toBe(0);
      if (commands.some((one) => typeof one === 'string')) expect(end).toBeGreaterThan(0);
    }),
  );
});
