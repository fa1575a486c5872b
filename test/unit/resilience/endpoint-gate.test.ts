import { SystemClock } from '../../../src/event/clock';
import type { EndpointLimits } from '../../../src/event/definitions';
import { failed, type Outcome } from '../../../src/event/outcome';
import { EndpointGate, type GateTask } from '../../../src/resilience/endpoint-gate';
import { until } from '../../support/until';

const LIMITS: EndpointLimits = {
  concurrency: 8,
  rateLimit: null,
  circuitBreaker: { failureRate: 0.5, minimum: 4, window: 10_000, openFor: 100 },
};
const WORKS: Outcome = { ok: true, status: 204 };
const FAILS = failed('http_status', 'the receiver answered 500', { status: 500 });
const UNTOLD = failed('dns', 'no such name');

let gate: EndpointGate;
/** What was let in, in order, and has not left. */
let inside: GateTask[];
let states: string[];

beforeEach(() => {
  [inside, states] = [[], []];
  gate = new EndpointGate('e', LIMITS, new SystemClock(), { breaker: ({ breaker }) => void states.push(breaker?.state ?? 'off') });
});
afterEach(() => gate.close());

function enter(count: number): void {
  for (let i = 0; i < count; i++) {
    const task: GateTask = { most: Infinity, party: '-', start: () => void inside.push(task) };
    gate.enter(task);
  }
}
const leave = (outcome: Outcome | null, task = inside[0]!): void => {
  inside.splice(inside.indexOf(task), 1);
  gate.leave(task, outcome);
};
/** @param staying requests that are still under way when it is half-open */
async function halfOpen(staying = 0): Promise<GateTask[]> {
  enter(4 + staying);
  const old = inside.slice(4);
  for (let i = 0; i < 4; i++) leave(FAILS);
  expect(gate.breaker?.state).toBe('open');
  await until(() => gate.isHalfOpen);
  return old;
}

test('with the failure that opens it the place is given to nobody', () => {
  enter(12);
  for (let i = 0; i < 4; i++) leave(FAILS);
  expect(gate.breaker?.state).toBe('open');
  // Three left before the one that opened it.
  expect(inside).toHaveLength(8 - 4 + 3);
});

test.each([
  ['fails', FAILS, 'open', 0],
  ['works', WORKS, 'closed', 8],
] as const)(
  'while it is half-open one tries, and when the receiver %s the others know it at once',
  async (_what, outcome, state, after) => {
    await halfOpen();
    enter(20);
    expect([inside.length, gate.mustQueue, gate.claimable]).toEqual([1, true, 0]);
    leave(outcome);
    expect([gate.breaker?.state, inside.length]).toEqual([state, after]);
  },
);

test('each period has one try, also with others that wait for it', async () => {
  await halfOpen();
  enter(20);
  for (let period = 0; period < 3; period++) {
    expect(inside).toHaveLength(1);
    leave(FAILS);
    expect(inside).toHaveLength(0);
    await until(() => gate.isHalfOpen);
  }
  expect(states.filter((state) => state === 'half-open')).toHaveLength(4);
});

test.each([
  ['works', WORKS],
  ['fails', FAILS],
] as const)('a request that was under way when it opened, and %s while it is half-open, decides nothing', async (_what, outcome) => {
  const [before, after] = await halfOpen(2);
  leave(outcome, before);
  expect(gate.isHalfOpen).toBe(true);
  enter(2);
  expect(inside).toHaveLength(2);
  leave(outcome, after);
  expect(gate.isHalfOpen).toBe(true);
  expect(inside).toHaveLength(1);
  leave(FAILS);
  expect(gate.breaker?.state).toBe('open');
});

test('a try that came to nothing that speaks of the receiver leaves its turn to the next', async () => {
  await halfOpen();
  enter(2);
  const [first] = inside;
  leave(UNTOLD);
  expect(gate.isHalfOpen).toBe(true);
  expect(inside).toHaveLength(1);
  expect(inside[0]).not.toBe(first);
  leave(null);
  expect(gate.claimable).toBe(1);
});

test('one delivery is claimed for the try, and new ones go behind it', async () => {
  await halfOpen();
  expect([gate.claimable, gate.mustQueue]).toEqual([1, false]);
  gate.lookingUp++;
  expect([gate.claimable, gate.mustQueue]).toEqual([0, true]);
  gate.lookingUp--;
  enter(1);
  expect([gate.claimable, gate.mustQueue]).toEqual([0, true]);
});

test('after a person has closed it, a try that hangs is a request as others are, and keeps no later one from trying', async () => {
  await halfOpen();
  enter(1);
  const [hanging] = inside;
  gate.breaker?.reset();
  expect([gate.mustQueue, gate.claimable > 1]).toEqual([false, true]);
  enter(4);
  for (const task of inside.slice(1)) leave(FAILS, task);
  await until(() => gate.isHalfOpen);
  enter(2);
  expect(inside).toHaveLength(2);
  leave(WORKS, hanging);
  expect(gate.isHalfOpen).toBe(true);
});

test('a reload with other rules for the breaker begins anew, whoever was trying', async () => {
  await halfOpen();
  enter(3);
  const [hanging] = inside;
  gate.change({ ...LIMITS, circuitBreaker: { ...LIMITS.circuitBreaker!, openFor: 50 } });
  expect([gate.breaker?.state, inside.length]).toEqual(['closed', 3]);
  for (let i = 0; i < 2; i++) leave(FAILS, inside[1]);
  enter(2);
  for (let i = 0; i < 2; i++) leave(FAILS, inside[1]);
  await until(() => gate.isHalfOpen);
  enter(2);
  expect(inside).toHaveLength(2);
  leave(WORKS, hanging);
  expect(gate.isHalfOpen).toBe(true);
});

test('a request for many deliveries says one thing', () => {
  enter(8);
  const request = {};
  for (let i = 0; i < 7; i++) leave({ ...FAILS, request });
  expect([gate.breaker?.state, gate.breaker?.counts]).toEqual(['closed', { requests: 1, failures: 1 }]);
});
