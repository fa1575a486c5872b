import { SystemClock } from '../../../src/event/clock';
import { homeOf } from '../../../src/event/endpoint-name';
import { EndpointGate } from '../../../src/resilience/endpoint-gate';
import { Gates } from '../../../src/resilience/endpoint-gates';

const LIMITS = { concurrency: 2, rateLimit: null, circuitBreaker: null };
const EVENTS = { breaker: (): void => undefined };

let gates: Gates;
let home: EndpointGate;
beforeEach(() => {
  gates = new Gates(new SystemClock(), EVENTS);
  home = new EndpointGate('web push', LIMITS, new SystemClock(), EVENTS);
});
afterEach(() => gates.close());

const branch = (n: number): EndpointGate => gates.branch(home, `https://${n}.example`);

test('each server has a gate of its own, and keeps it', () => {
  const [one, two] = [branch(1), branch(2)];
  expect([one.name, two.name, homeOf(one.name)]).toEqual(['web push: https://1.example', 'web push: https://2.example', 'web push']);
  expect(branch(1)).toBe(one);
  expect(gates.branch(two, 'https://1.example')).toBe(one);
});

test('endless servers have a hundred gates: whoever was not asked for longest, and is used by nobody, makes room', () => {
  const first = branch(0);
  const [used, backlogged] = [branch(1), branch(2)];
  used.flights++;
  backlogged.queued();
  for (let n = 3; n < 1_000; n++) branch(n);
  expect(gates.all.size).toBeLessThanOrEqual(101);
  expect([branch(1), branch(2)]).toEqual([used, backlogged]);
  expect(branch(0)).not.toBe(first);
});

test('where all are used the endpoint itself is shared', () => {
  for (let n = 0; n < 100; n++) branch(n).flights++;
  const shared = branch(100);
  expect([shared.name, branch(101)]).toEqual(['web push', shared]);
  branch(7).flights--;
  expect(branch(100).name).toBe('web push: https://100.example');
});

test('what stands queued for a branch after a restart opens its gate, or, without room, that of its endpoint', () => {
  branch(0);
  gates.queued('web push: https://7.example');
  expect(branch(7).mustQueue).toBe(true);
  for (let n = 10; n < 200; n++) branch(n).flights++;
  expect(gates.all.get('web push')?.mustQueue).toBe(false);
  gates.queued('web push: https://300.example');
  expect(gates.all.get('web push')?.mustQueue).toBe(true);
});
