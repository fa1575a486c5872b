import * as fc from 'fast-check';
import type { EntityEvent } from '../../../src/event/entity-event';
import { JsonDocument } from '../../../src/event/json-document';
import { changedAmong, changedNothing } from '../../../src/matching/changes';

const COLUMNS = ['a', 'b', 'c', '__proto__', 'e.f'];
const value = fc.oneof(
  fc.constant(null),
  fc.integer({ min: 0, max: 2 }),
  fc.constantFrom('', 'x'),
  fc.constantFrom([1], { k: [1] }, { k: null }),
);
const row = fc.dictionary(fc.constantFrom(...COLUMNS), value, { noNullPrototype: false });

interface Update {
  readonly before: Record<string, unknown> | null;
  readonly data: Record<string, unknown> | null;
  readonly changed: string[] | null;
}

const update: fc.Arbitrary<Update> = fc.record({
  before: fc.option(row),
  data: fc.option(row),
  changed: fc.option(fc.subarray(COLUMNS)),
});

const eventOf = ({ before, data, changed }: Update): EntityEvent => ({
  changeNumber: 1,
  id: '00000000-0000-4000-8000-000000000001',
  kind: 'update',
  entityType: 'Order',
  entityKey: '1',
  tenant: null,
  data: data === null ? null : new JsonDocument(JSON.stringify(data)),
  before: before === null ? null : new JsonDocument(JSON.stringify(before)),
  changed,
  timestamp: '2026-01-31T10:00:00.000000Z',
  traceparent: null,
  tracestate: null,
  cause: null,
  lookups: null,
  backfill: null,
});

const textOf = (row: Record<string, unknown>, column: string): string | undefined =>
  Object.hasOwn(row, column) ? JSON.stringify(row[column]) : undefined;
const differing = (before: Record<string, unknown>, data: Record<string, unknown>): string[] =>
  COLUMNS.filter((column) => textOf(before, column) !== textOf(data, column));

test('an update is passed by only when everything that is known says that nothing changed', () => {
  fc.assert(
    fc.property(update, (made) => {
      const { before, data, changed } = made;
      const images = before !== null && data !== null;
      const isKnown = images || changed !== null;
      const somethingChanged = (changed?.length ?? 0) > 0 || (images && differing(before, data).length > 0);
      expect(changedNothing(eventOf(made))).toBe(isKnown && !somethingChanged);
    }),
    { numRuns: 2_000 },
  );
});

test('a column has changed when it is named, or differs in the images; an update of which neither is known has no answer', () => {
  fc.assert(
    fc.property(update, fc.constantFrom(...COLUMNS), (made, column) => {
      const { before, data, changed } = made;
      const images = before !== null && data !== null;
      const named = changed?.includes(column) === true;
      if (changed === null && !images) return expect(() => changedAmong([column], eventOf(made))).toThrow('needs the names');
      const both = images && Object.hasOwn(before, column) && Object.hasOwn(data, column);
      // Of a list that names something, the rest of the before-image may be missing.
      const counts = both || (changed?.length ?? 0) === 0;
      expect(changedAmong([column], eventOf(made))).toEqual(
        named || (images && counts && differing(before, data).includes(column)) ? [column] : [],
      );
    }),
    { numRuns: 2_000 },
  );
});

test('where no column of several has changed, none has by itself', () => {
  fc.assert(
    fc.property(update, fc.subarray(COLUMNS, { minLength: 1 }), (made, columns) => {
      const event = eventOf(made);
      if (event.changed === null && (event.before === null || event.data === null)) return;
      const each = columns.some((column) => changedAmong([column], event).length > 0);
      expect(changedAmong(columns, event).length > 0).toBe(each);
    }),
    { numRuns: 1_000 },
  );
});
