import fc from 'fast-check';
import type { ObserverDefinition } from '../../../src/event/definitions';
import { INLINE_BUDGET, Incarnation } from './incarnation';
import { givenItems, observerOf, TestClock } from './items';
import { OrderedReceiver } from './ordered-receiver';

// The real reader, worker, dispatcher and ledger on a real PostgreSQL, one statement at a time in an order that fast-check chooses: so a row
// is queued while its predecessor is in memory, a claim is under way while a predecessor is handed over, a process dies between a claim and
// its answer or a group and its commit, and the next one reads again, claims and takes over. What counts is seen at the receiver alone.

const ENTITIES = 5;

type Step =
  | { readonly is: 'write'; readonly entity: number }
  | { readonly is: 'answer'; readonly which: number; readonly ok: boolean }
  | { readonly is: 'pause'; readonly observer: 'none' | 'strict' }
  /** The worker or the ledger goes on by so many halves of statements: they are sent, and their answers are taken. */
  | { readonly is: 'work' | 'commit'; readonly halves: number }
  | { readonly is: 'time'; readonly milliseconds: number }
  | { readonly is: 'read' | 'kill' };

const entity = fc.nat(2);
const single: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ is: fc.constant('write' as const), entity }) },
  { weight: 8, arbitrary: fc.constant({ is: 'read' as const }) },
  { weight: 8, arbitrary: fc.record({ is: fc.constant('work' as const), halves: fc.constantFrom(1, 2, 5, 20) }) },
  { weight: 6, arbitrary: fc.record({ is: fc.constant('commit' as const), halves: fc.constantFrom(1, 2, 4) }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('time' as const), milliseconds: fc.constantFrom(300, 700, INLINE_BUDGET) }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('answer' as const), which: fc.nat(5), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('pause' as const), observer: fc.constantFrom('none' as const, 'strict' as const) }) },
  { weight: 2, arbitrary: fc.constant({ is: 'kill' as const }) },
);

const write = (of: number): Step[] => [{ is: 'write', entity: of }, { is: 'read' }];
const time = (milliseconds: number): Step => ({ is: 'time', milliseconds });
const work = (halves: number): Step => ({ is: 'work', halves });
const COMMIT: Step = { is: 'commit', halves: 20 };
const KILL: Step = { is: 'kill' };

// Chance alone seldom hands one over, keeps a younger one in memory, queues a third behind it, and then kills: so this shape is among the steps.
const killInBetween: fc.Arbitrary<Step[]> = fc
  .tuple(
    entity,
    entity,
    entity,
    fc.constantFrom(300, 700),
    fc.constantFrom(100, 300, 700),
    fc.constantFrom(2, 20),
    fc.constantFrom(5, 20, 60),
  )
  .map(([a, b, c, early, late, halves, claims]) => [
    ...write(a),
    ...write(b),
    time(early),
    ...write(c),
    time(late),
    ...write(c),
    { is: 'commit', halves },
    KILL,
    work(claims),
    work(claims),
  ]);
const steps: fc.Arbitrary<Step[]> = fc
  .array(fc.oneof({ weight: 12, arbitrary: single.map((one) => [one]) }, { weight: 1, arbitrary: killInBetween }), {
    minLength: 20,
    maxLength: 100,
  })
  .map((some) => some.flat());

const given = givenItems();

class World {
  private readonly clock = new TestClock();
  private readonly written = Array<number>(ENTITIES).fill(0);
  readonly receiver: OrderedReceiver;
  private readonly paused = new Set<string>();
  private readonly observers: readonly ObserverDefinition[];
  private process!: Incarnation;

  constructor(concurrency: number, names: readonly ('none' | 'strict')[] = ['none', 'strict']) {
    this.observers = names.map((name) => observerOf(name, concurrency, { ordering: name }));
    this.receiver = new OrderedReceiver(names, this.written);
  }

  async begin(): Promise<void> {
    await given.database
      .query(`truncate core.tb_entity_change_log, item, observers.checkpoint, observers.pending_delivery, observers.attempt,
      observers.dead_letter, observers.lease, observers.paused_observer`);
    await given.database.query('insert into item select i, 0 from generate_series(0, $1::int) i', [ENTITIES - 1]);
    await this.start();
  }

  private async start(): Promise<void> {
    this.process = await Incarnation.begin(given.pool, given.reader, this.clock, this.observers, this.receiver.send);
  }

  async take(next: Step): Promise<void> {
    // Pauses are looked at five times a second.
    this.clock.time += 20;
    switch (next.is) {
      case 'write':
        this.written[next.entity]!++;
        await given.database.query('update item set version = version + 1 where id = $1', [next.entity]);
        return;
      case 'read':
        return this.process.read();
      case 'work':
        return this.process.work(next.halves);
      case 'commit':
        return this.process.ledger.step(next.halves);
      case 'time':
        this.clock.time += next.milliseconds;
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
    if (this.paused.delete(name)) await given.database.query('delete from observers.paused_observer where observer = $1', [name]);
    else {
      this.paused.add(name);
      await given.database.query("insert into observers.paused_observer (stream, observer, paused_by) values ('main', $1, 'test')", [name]);
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
      await this.process.work(1);
      while (this.receiver.open.length > 0) this.receiver.answer(0, true);
      await this.process.ledger.settled();
    }
    await this.process.drain();
    this.process.kill();
    this.receiver.forget();
  }

  private async isThrough(): Promise<boolean> {
    if (this.receiver.missing().length > 0) return false;
    return (await given.database.query('select from observers.pending_delivery limit 1')).length === 0;
  }
}

async function inOrder(world: World, some: readonly Step[]): Promise<void> {
  await world.begin();
  for (const next of some) await world.take(next);
  await world.end();
  expect(world.receiver.wrong).toEqual([]);
  expect(world.receiver.missing()).toEqual([]);
}

test.each(['none', 'strict'] as const)(
  'one is in memory, a later one of its entity is queued, the process is killed, the next one claims first (%s)',
  (name) => {
    const [x, y, a] = [write(0), write(1), write(2)];
    return inOrder(new World(1, [name]), [...x, ...y, time(700), ...a, time(400), ...a, COMMIT, KILL, work(60), work(60), work(60)]);
  },
);

/** After each number of halves of statements that the worker may have come to. */
const whenever = (some: (sent: number) => Step[]): Promise<void> =>
  Array.from({ length: 14 }, (_none, i) => i + 1).reduce(
    (before, sent) => before.then(() => inOrder(new World(3, ['none']), some(sent))),
    Promise.resolve(),
  );
const ACCEPT: Step = { is: 'answer', which: 0, ok: true };
// x and y run and become slow, x's second waits behind its first and is handed over; a runs, and a's second waits behind its first. Then there
// is room again, and a's third is queued behind x's second.
const [X, Y, A] = [write(0), write(1), write(2)];
const THIRD_IS_QUEUED: Step[] = [...X, ...Y, ...X, time(700), ...A, ...A, time(400), COMMIT, ACCEPT, ACCEPT, COMMIT, ...A, COMMIT];

test('one is handed over while a claim is under way that brings a later one of its entity', () =>
  whenever((sent) => [...THIRD_IS_QUEUED, work(sent), time(INLINE_BUDGET), work(60), ACCEPT, work(60)]));

test('a pause puts one aside that is in memory, and a claim comes before a later one of its entity is put aside as well', () =>
  whenever((sent) => [...THIRD_IS_QUEUED, { is: 'pause', observer: 'none' }, time(300), work(sent), COMMIT, work(60), ACCEPT, work(60)]));

test('whatever is handed over, queued, committed, claimed, read again and killed when: each lane arrives in order, and whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, async (concurrency, some) => {
      await inOrder(new World(concurrency), some);
    }),
    {
      numRuns: Number(process.env['PROPERTY_RUNS'] ?? 25),
      ...(process.env['PROPERTY_SEED'] ? { seed: Number(process.env['PROPERTY_SEED']) } : {}),
    },
  );
});
