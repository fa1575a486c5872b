import fc from 'fast-check';
import type { CustomDelivery } from '../../../src/actions/custom/custom-action';
import { retry, succeeded } from '../../../src/actions/custom/outcomes';
import type { Outcome } from '../../../src/event/outcome';
import { INLINE_BUDGET, Incarnation } from './incarnation';
import { givenItems, observerOf, TestClock } from './items';

// As in order.property.test.ts: the real parts on a real PostgreSQL, one statement at a time in an order that fast-check chooses, with kills in
// between. The delays are so short that some deliveries are due, some are not, and some become so while the next change is on its way.

const ENTITIES = 3;
const DELAY = 15;
const [WAIT, MAX_WAIT] = [8, 40];

type Step =
  | { readonly is: 'write'; readonly entity: number; readonly paid: boolean }
  | { readonly is: 'answer'; readonly which: number; readonly ok: boolean }
  | { readonly is: 'work' | 'commit'; readonly halves: number }
  | { readonly is: 'read' | 'kill' | 'pass' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ is: fc.constant('write' as const), entity: fc.nat(ENTITIES - 1), paid: fc.nat(4).map((n) => n === 0) }),
  },
  { weight: 8, arbitrary: fc.constant({ is: 'read' as const }) },
  { weight: 9, arbitrary: fc.record({ is: fc.constant('work' as const), halves: fc.constantFrom(1, 2, 5, 20) }) },
  { weight: 6, arbitrary: fc.record({ is: fc.constant('commit' as const), halves: fc.constantFrom(1, 2, 20) }) },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('answer' as const), which: fc.nat(5), ok: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ is: 'kill' as const }) },
  { weight: 2, arbitrary: fc.constant({ is: 'pass' as const }) },
);

const OBSERVERS = [
  observerOf('delayed', 3, { timing: { is: 'delay', wait: DELAY } }),
  observerOf('debounced', 3, { timing: { is: 'debounce', key: '{{ entity.key }}', wait: WAIT, maxWait: MAX_WAIT } }),
  observerOf('reminding', 3, { timing: { is: 'delay', wait: DELAY }, when: 'paid = false', cancelWhen: 'paid = true' }),
];

interface Sent {
  readonly observer: string;
  readonly entity: number;
  readonly version: number;
  readonly collapsed: number | undefined;
}
interface Written {
  readonly paid: boolean;
  /** Milliseconds since 1970, by PostgreSQL's clock, after the commit. */
  readonly committed: number;
  readonly due: number;
}

const given = givenItems(', paid bool');

class World {
  private readonly clock = new TestClock();
  /** By entity; of version v at v - 1. */
  readonly written: Written[][] = Array.from({ length: ENTITIES }, () => []);
  readonly arrived: Sent[] = [];
  readonly accepted: Sent[] = [];
  private open: { readonly sent: Sent; readonly answer: (outcome: Outcome) => void }[] = [];
  private process!: Incarnation;

  async begin(): Promise<void> {
    await given.database
      .query(`truncate core.tb_entity_change_log, item, observers.checkpoint, observers.pending_delivery, observers.attempt,
      observers.dead_letter, observers.quarantine, observers.lease`);
    await given.database.query('insert into item select i, 0, false from generate_series(0, $1::int) i', [ENTITIES - 1]);
    await this.start();
  }

  private async start(): Promise<void> {
    this.process = await Incarnation.begin(given.pool, given.reader, this.clock, OBSERVERS, this.send);
  }

  private readonly send = ({ event, observer: name }: CustomDelivery): Promise<Outcome> => {
    const { version } = event.data?.value as { version: unknown };
    const sent = { observer: name, entity: Number(event.entityKey), version: Number(version), collapsed: event.collapsed };
    this.arrived.push(sent);
    return new Promise((answer) => this.open.push({ sent, answer }));
  };

  async take(next: Step): Promise<void> {
    // What is due is looked for five times a second.
    this.clock.time += 60;
    switch (next.is) {
      case 'write':
        return this.write(next.entity, next.paid);
      case 'read':
        return this.process.read();
      case 'work':
        return this.process.work(next.halves);
      case 'commit':
        return this.process.ledger.step(next.halves);
      case 'pass':
        this.clock.time += INLINE_BUDGET;
        await given.database.query('select pg_sleep(0.02)');
        return this.process.handOverSlow();
      case 'answer':
        this.answer(next.which, next.ok);
        return this.process.ledger.settled();
      case 'kill':
        this.process.kill();
        for (const { answer } of this.open.splice(0)) answer(retry('nobody reads this'));
        return this.start();
    }
  }

  private async write(entity: number, paid: boolean): Promise<void> {
    await given.database.query('update item set version = version + 1, paid = $2 where id = $1', [entity, paid]);
    const [row] = await given.database.query<{ committed: number; at: number }>(
      `select extract(epoch from clock_timestamp())::float8 * 1000 as committed, extract(epoch from created_at at time zone 'UTC')::float8 * 1000 as at
       from core.tb_entity_change_log order by pk_entity_change_log desc limit 1`,
    );
    this.written[entity]!.push({ paid, committed: row!.committed, due: row!.at + DELAY });
  }

  private answer(which: number, ok: boolean): void {
    const [request] = this.open.splice(which, 1);
    if (request === undefined) return;
    if (ok) this.accepted.push(request.sent);
    request.answer(ok ? succeeded() : retry('not now'));
  }

  /** Until everything is through, with a receiver that accepts it. */
  async end(): Promise<void> {
    await this.process.letGo();
    for (let i = 0; i < 300 && !(await this.isThrough()); i++) {
      this.clock.time += 250;
      await this.process.read();
      await this.process.work(1);
      this.process.handOverSlow();
      while (this.open.length > 0) this.answer(0, true);
      await this.process.drain();
    }
    this.process.kill();
  }

  private async isThrough(): Promise<boolean> {
    const [row] = await given.database.query<{ unread: number; waiting: number }>(
      `select (select count(*)::int from core.tb_entity_change_log l where not exists (
                 select from observers.checkpoint c where pg_visible_in_snapshot(l.change_xid, c.previous))) as unread,
              (select count(*)::int from observers.pending_delivery) as waiting`,
    );
    return row!.unread + row!.waiting + this.open.length === 0;
  }

  of(observerName: string, entity: number, of: readonly Sent[] = this.accepted): Sent[] {
    const its = of.filter((sent) => sent.observer === observerName && sent.entity === entity);
    const first = new Map(its.toReversed().map((sent) => [sent.version, sent]));
    return [...first.values()].sort((one, other) => one.version - other.version);
  }
}

test('whatever happens in between: delayed ones all arrive, collapsed ones are counted once, cancelled ones are not sent', async () => {
  const seen = { collapsed: 0, cancelled: 0, kept: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
      const world = new World();
      await world.begin();
      for (const next of steps) await world.take(next);
      await world.end();
      const cancelled = await given.database.query<{ entity: number; version: number; observer: string }>(
        `select coalesce(l.object_key, l.object_id::text)::int as entity, (l.object_data ->> 'version')::int as version, a.observer
         from observers.attempt a join core.tb_entity_change_log l on l.pk_entity_change_log = a.change_number
         where a.message like 'cancelled by change %'`,
      );
      for (let entity = 0; entity < ENTITIES; entity++) {
        const written = world.written[entity]!;
        const versions = written.map((_one, i) => i + 1);
        expect(world.of('delayed', entity).map(({ version }) => version)).toEqual(versions);
        // Each stands for those since the one before it, and the last one is there.
        let before = 0;
        for (const { version, collapsed } of world.of('debounced', entity)) {
          expect([entity, version, collapsed]).toEqual([entity, version, version - before]);
          before = version;
        }
        expect(before).toBe(versions.length);
        seen.collapsed += versions.length - world.of('debounced', entity).length;
        const gone = cancelled.filter((one) => one.entity === entity).map(({ version }) => version);
        const kept = world.of('reminding', entity).map(({ version }) => version);
        const unpaid = versions.filter((version) => !written[version - 1]!.paid);
        expect([...new Set([...gone, ...kept])].sort((a, b) => a - b)).toEqual(unpaid);
        for (const version of kept) expect(gone).not.toContain(version);
        for (const version of gone) expect(written.slice(version).some(({ paid }) => paid)).toBe(true);
        // What was paid before it was due is never even tried.
        const tried = world.of('reminding', entity, world.arrived).map(({ version }) => version);
        for (const version of tried) {
          const { due } = written[version - 1]!;
          expect(written.slice(version).filter(({ paid, committed }) => paid && committed < due)).toEqual([]);
        }
        seen.cancelled += gone.length;
        seen.kept += kept.length;
      }
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 40) },
  );
  // Otherwise nothing was tried.
  expect(seen.collapsed).toBeGreaterThan(20);
  expect(seen.cancelled).toBeGreaterThan(20);
  expect(seen.kept).toBeGreaterThan(20);
}, 240_000);
