import * as fc from 'fast-check';
import type { ObserverDefinition } from '../../../src/event/definitions';
import { CHANGE_KINDS, EVENT_KINDS, type EntityEvent } from '../../../src/event/entity-event';
import { JsonDocument } from '../../../src/event/json-document';
import { isRefusal, Matcher } from '../../../src/matching/matcher';

const ENTITIES = ['Order', 'order', 'Invoice', 'constructor', '__proto__', ''];
const CONDITIONS = [null, 'total > 5', 'total > 500', 'nowhere = 1', "total = 'text'", 'CHANGED(total)'];

const observer = fc.record({
  entities: fc.oneof(fc.constant('*' as const), fc.uniqueArray(fc.constantFrom(...ENTITIES), { minLength: 1 })),
  kinds: fc.subarray([...CHANGE_KINDS], { minLength: 1 }),
  when: fc.constantFrom(...CONDITIONS),
});
const observers = fc.array(observer, { maxLength: 12 }).map((all) =>
  all.map((one, i): ObserverDefinition => ({
    ...one,
    name: `observer ${i}`,
    actions: [],
    mode: 'live',
    columns: null,
    ignoreUnchanged: true,
    strictTemplates: false,
    ordering: 'none',
    lookups: [],
    onFailure: 'dlq',
    dedup: null,
    retry: RETRY,
  })),
);
const RETRY = { strategy: 'fixed', maxAttempts: 1, initialDelay: 0, maxDelay: 0, maxElapsed: null, schedule: [] } as const;

const entityEvent = fc
  .record({
    kind: fc.constantFrom(...EVENT_KINDS),
    entityType: fc.constantFrom(...ENTITIES, 'Unheard'),
    named: fc.uniqueArray(fc.integer({ min: 0, max: 14 }), { minLength: 1 }),
  })
  .map(({ kind, entityType, named }): EntityEvent => ({
    kind,
    entityType,
    changeNumber: 1,
    id: '00000000-0000-4000-8000-000000000001',
    entityKey: '1',
    tenant: null,
    data: new JsonDocument('{"total":50}'),
    before: null,
    changed: null,
    timestamp: '2026-01-31T10:00:00.000000Z',
    traceparent: null,
    tracestate: null,
    cause: null,
    lookups: null,
    backfill: kind === 'backfill' ? { id: 'b', observers: named.map((i) => `observer ${i}`) } : null,
  }));

describe('the matcher', () => {
  it('finds exactly the observers of the kind and the entity, of a backfill those that it names, in the order of the file', () => {
    fc.assert(
      fc.property(observers, fc.array(entityEvent, { minLength: 1, maxLength: 5 }), (all, events) => {
        const matcher = new Matcher(all);
        for (const event of events) {
          const expected = all.filter(
            ({ name, kinds, entities }) =>
              (event.kind === 'backfill' ? event.backfill?.observers.includes(name) === true : kinds.includes(event.kind)) &&
              (entities === '*' || entities.includes(event.entityType)),
          );
          expect(matcher.match(event, 0).map((result) => result.observer.name)).toEqual(expected.map(({ name }) => name));
          const asked = matcher.judgeAll(event, 0).filter(({ verdict }) => !isRefusal(verdict));
          expect(asked.map((judgement) => judgement.observer.name)).toEqual(expected.map(({ name }) => name));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('judges each observer by its own condition, whatever becomes of the others', () => {
    fc.assert(
      fc.property(observers, entityEvent, (all, event) => {
        for (const result of new Matcher(all).match(event, 0)) {
          const answers = {
            'total > 5': true,
            'total > 500': false,
            'nowhere = 1': false,
            "total = 'text'": null,
            'CHANGED(total)': event.kind === 'update' ? null : false,
          };
          const expected = result.observer.when === null ? true : answers[result.observer.when as keyof typeof answers];
          expect({ when: result.observer.when, matched: result.matched }).toEqual({ when: result.observer.when, matched: expected });
          if (result.matched === null) expect(result.error).not.toBe('');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('judges one observer by name as match() judges it', () => {
    fc.assert(
      fc.property(observers, entityEvent, (all, event) => {
        const matcher = new Matcher(all);
        for (const result of matcher.match(event, 0)) expect(matcher.judge(result.observer.name, event, 0)).toEqual(result);
        expect(matcher.judge('nobody', event, 0)).toBeNull();
      }),
      { numRuns: 200 },
    );
  });
});
