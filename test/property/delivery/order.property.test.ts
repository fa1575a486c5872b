import fc from 'fast-check';
import type { Client, Pool } from 'pg';
import type { CustomDelivery } from '../../../src/actions/custom/custom-action';
import { retry, succeeded } from '../../../src/actions/custom/outcomes';
import { connect, createPool } from '../../../src/database/postgres';
import { Clock } from '../../../src/event/clock';
import type { ObserverDefinition } from '../../../src/event/definitions';
import type { Outcome } from '../../../src/event/outcome';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { FAST_RETRY } from '../../support/stream';
import { INLINE_BUDGET, Incarnation } from './incarnation';

// The real reader, worker, dispatcher and ledger on a real PostgreSQL, one statement at a time in an order that fast-check chooses: so a row
// is queued while its predecessor is in memory, a claim is under way while a predecessor is handed over, a process dies between a claim and
// its answer or a group and its commit, and the next one reads again, claims and takes over. What counts is seen at the receiver alone.

const ENTITIES = 3;

type Step =
  | { readonly is: 'write'; readonly entity: number }
  | { readonly is: 'answer'; readonly which: number; readonly ok: boolean }
  | { readonly is: 'pause'; readonly observer: 'none' | 'strict' }
  | { readonly is: 'read' | 'work' | 'commit' | 'budget' | 'kill' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ is: fc.constant('write' as const), entity: fc.nat(ENTITIES - 1) }) },
  { weight: 8, arbitrary: fc.constant({ is: 'read' as const }) },
  { weight: 12, arbitrary: fc.constant({ is: 'work' as const }) },
  { weight: 8, arbitrary: fc.constant({ is: 'commit' as const }) },
  { weight: 4, arbitrary: fc.constant({ is: 'budget' as const }) },
  { weight: 7, arbitrary: fc.record({ is: fc.constant('answer' as const), which: fc.nat(5), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('pause' as const), observer: fc.constantFrom('none' as const, 'strict' as const) }) },
  { weight: 2, arbitrary: fc.constant({ is: 'kill' as const }) },
);

class TestClock extends Clock {
  time = 1_000;
  now(): number {
    return Date.now();
  }
  monotonic(): number {
    return this.time;
  }
}

interface Request {
  /** Observer and entity. */
  readonly lane: string;
  readonly version: number;
  answer(outcome: Outcome): void;
}

let database: TestDatabase;
let pool: Pool;
let reader: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, 4);
  reader = await connect(database.url, 'test reader');
  await database.query('create table item (id int primary key, version int)');
  await database.capture('public.item', { entity: 'Item' });
});

afterAll(async () => {
  await pool.end();
  await reader.end();
  await database.drop();
});

const observer = (name: 'none' | 'strict', concurrency: number): ObserverDefinition => ({
  name,
  entities: '*',
  kinds: ['update'],
  when: null,
  lookups: [],
  mode: 'live',
  ordering: name,
  dedup: null,
  onFailure: 'dlq',
  retry: { ...FAST_RETRY, initialDelay: 1, maxAttempts: 1_000 },
  actions: [
    {
      type: 'custom',
      name: 'send',
      handler: 'receiver',
      options: {},
      // One for both: each is in the other's way.
      endpoint: 'receiver',
      limits: { concurrency, rateLimit: null, circuitBreaker: null },
      timeout: 600_000,
    },
  ],
});

/** Sees what arrives, and answers when it is told to. */
class Receiver {
  readonly open: Request[] = [];
  readonly wrong: string[] = [];
  private readonly arrived = new Map<string, Set<number>>();
  private readonly accepted = new Map<string, Set<number>>();

  constructor(private readonly written: () => readonly number[]) {}

  readonly send = ({ event, observer: lane }: CustomDelivery): Promise<Outcome> => {
    const version = Number((event.data?.value as { version: unknown }).version);
    return new Promise((resolve) => this.take({ lane: `${lane} ${event.entityKey}`, version, answer: resolve }));
  };

  private take(request: Request): void {
    const { lane, version } = request;
    const [arrived, accepted] = [versions(this.arrived, lane), versions(this.accepted, lane)];
    const before = lane.startsWith('strict') ? accepted : arrived;
    for (let earlier = 1; earlier < version; earlier++)
      if (!arrived.has(version) && !before.has(earlier)) this.wrong.push(`${lane}: ${version} came before ${earlier}`);
    arrived.add(version);
    this.open.push(request);
  }

  answer(which: number, ok: boolean): void {
    const [request] = this.open.splice(which, 1);
    if (request === undefined) return;
    if (ok) versions(this.accepted, request.lane).add(request.version);
    request.answer(ok ? succeeded() : retry('not now'));
  }

  /** Whoever sent them is dead. */
  forget(): void {
    for (const { answer } of this.open.splice(0)) answer(retry('nobody reads this'));
  }

  missing(): string[] {
    const lanes = ['none', 'strict'].flatMap((name) => this.written().map((last, entity) => ({ lane: `${name} ${entity}`, last })));
    return lanes.flatMap(({ lane, last }) =>
      Array.from({ length: last }, (_none, i) => i + 1)
        .filter((version) => !versions(this.accepted, lane).has(version))
        .map((version) => `${lane}: ${version}`),
    );
  }
}

function versions(of: Map<string, Set<number>>, lane: string): Set<number> {
  const known = of.get(lane) ?? new Set<number>();
  of.set(lane, known);
  return known;
}

class World {
  private readonly clock = new TestClock();
  private readonly written = Array<number>(ENTITIES).fill(0);
  readonly receiver = new Receiver(() => this.written);
  private readonly paused = new Set<string>();
  private readonly observers: readonly ObserverDefinition[];
  private process!: Incarnation;

  constructor(concurrency: number) {
    this.observers = [observer('none', concurrency), observer('strict', concurrency)];
  }

  async begin(): Promise<void> {
    await database.query(`truncate core.tb_entity_change_log, item, observers.checkpoint, observers.pending_delivery, observers.attempt,
      observers.dead_letter, observers.lease, observers.paused_observer`);
    await database.query('insert into item select i, 0 from generate_series(0, $1::int) i', [ENTITIES - 1]);
    await this.start();
  }

  private async start(): Promise<void> {
    this.process = await Incarnation.begin(pool, reader, this.clock, this.observers, this.receiver.send);
  }

  async take(next: Step): Promise<void> {
    // Pauses are looked at five times a second.
    this.clock.time += 20;
    switch (next.is) {
      case 'write':
        this.written[next.entity]!++;
        await database.query('update item set version = version + 1 where id = $1', [next.entity]);
        return;
      case 'read':
        return this.process.read();
      case 'work':
        return this.process.work();
      case 'commit':
        return this.process.ledger.step();
      case 'budget':
        this.clock.time += INLINE_BUDGET;
        return this.process.handOverSlow();
      case 'answer':
        this.receiver.answer(next.which, next.ok);
        return this.process.ledger.settled();
      case 'pause':
        return this.togglePause(next.observer);
      case 'kill':
        return this.kill();
    }
  }

  private async togglePause(name: string): Promise<void> {
    if (this.paused.delete(name)) await database.query('delete from observers.paused_observer where observer = $1', [name]);
    else {
      this.paused.add(name);
      await database.query("insert into observers.paused_observer (stream, observer, paused_by) values ('main', $1, 'test')", [name]);
    }
  }

  private async kill(): Promise<void> {
    this.process.kill();
    this.receiver.forget();
    await this.start();
  }

  /** Until everything is through, with a receiver that accepts it. */
  async end(): Promise<void> {
    for (const name of [...this.paused]) await this.togglePause(name);
    await this.process.letGo();
    for (let i = 0; i < 300 && !(await this.isThrough()); i++) {
      this.clock.time += 250;
      await this.process.read();
      await this.process.work();
      while (this.receiver.open.length > 0) this.receiver.answer(0, true);
      await this.process.ledger.settled();
    }
    await this.process.drain();
    this.process.kill();
    this.receiver.forget();
  }

  private async isThrough(): Promise<boolean> {
    if (this.receiver.missing().length > 0) return false;
    return (await database.query('select from observers.pending_delivery limit 1')).length === 0;
  }
}

test('whatever is handed over, queued, committed, claimed, read again and killed when: each lane arrives in order, and whole', async () => {
  let arrivals = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step, { minLength: 30, maxLength: 120 }), async (concurrency, steps) => {
      const world = new World(concurrency);
      await world.begin();
      for (const next of steps) await world.take(next);
      await world.end();
      expect(world.receiver.wrong).toEqual([]);
      expect(world.receiver.missing()).toEqual([]);
      arrivals++;
    }),
    {
      numRuns: Number(process.env['PROPERTY_RUNS'] ?? 60),
      ...(process.env['PROPERTY_SEED'] ? { seed: Number(process.env['PROPERTY_SEED']) } : {}),
    },
  );
  expect(arrivals).toBeGreaterThan(0);
}, 180_000);
