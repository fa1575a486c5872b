import type { EventKind } from '../../../src/event/entity-event';
import type { ObserverDefinition } from '../../../src/event/definitions';
import { ConditionSyntaxError } from '../../../src/matching/condition/condition';
import { Matcher } from '../../../src/matching/matcher';
import { NOON, orderEvent, orderUpdate } from './order-event';

const RETRY = { strategy: 'fixed', maxAttempts: 1, initialDelay: 0, maxDelay: 0, maxElapsed: null, schedule: [] } as const;
const log = (name: string) => ({ type: 'log', name, level: 'info', message: null }) as const;

function observer(name: string, parts: Partial<ObserverDefinition> = {}): ObserverDefinition {
  return {
    name,
    entities: ['Order'],
    kinds: ['insert'],
    when: null,
    mode: 'live',
    columns: null,
    ignoreUnchanged: true,
    strictTemplates: false,
    ordering: 'none',
    lookups: [],
    onFailure: 'dlq',
    dedup: null,
    retry: RETRY,
    actions: [log('log')],
    ...parts,
  };
}

function outcomes(matcher: Matcher, event = orderEvent('{"total":50}')): readonly (readonly [string, boolean | null])[] {
  return matcher.match(event, NOON).map(({ observer: { name }, matched }) => [name, matched]);
}

describe('the matcher', () => {
  it('keeps observers of all entities in the order of the file, between those of one', () => {
    const matcher = new Matcher([
      observer('a', { entities: '*' }),
      observer('b'),
      observer('c', { entities: '*' }),
      observer('d', { entities: ['Invoice', 'Order'] }),
      observer('e', { entities: '*' }),
    ]);
    expect(outcomes(matcher).map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(outcomes(matcher, orderEvent('{}', { entityType: 'Unheard' })).map(([name]) => name)).toEqual(['a', 'c', 'e']);
  });

  it('tells entities apart by their exact name', () => {
    const matcher = new Matcher([observer('a', { entities: ['order'] }), observer('b', { entities: ['Orders'] })]);
    expect(outcomes(matcher)).toEqual([]);
  });

  it.each<EventKind>(['insert', 'update', 'delete', 'custom'])('matches %s with observers of that kind only', (kind) => {
    const matcher = new Matcher((['insert', 'update', 'delete', 'custom'] as const).map((each) => observer(each, { kinds: [each] })));
    expect(outcomes(matcher, orderEvent('{}', { kind }))).toEqual([[kind, true]]);
  });

  it('matches an observer once, however often the file names its entity', () => {
    expect(outcomes(new Matcher([observer('a', { entities: ['Order', 'Order'] })]))).toEqual([['a', true]]);
  });

  it('matches an observer once, however often the file names its kind', () => {
    expect(outcomes(new Matcher([observer('a', { kinds: ['insert', 'insert'] })]))).toEqual([['a', true]]);
    expect(outcomes(new Matcher([observer('a', { kinds: ['insert', 'insert'], entities: '*' })]))).toEqual([['a', true]]);
  });

  it('reports a condition without an answer as an error and goes on with the others', () => {
    const matcher = new Matcher([
      observer('a', { when: "total = 'fifty'" }),
      observer('b', { when: 'total > 5' }),
      observer('c', { when: 'total > 500' }),
      observer('d', { when: 'nowhere = 1' }),
    ]);
    expect(matcher.match(orderEvent('{"total":50}'), NOON)).toEqual([
      { observer: expect.objectContaining({ name: 'a' }), matched: null, error: 'a number cannot be compared with text' },
      { observer: expect.objectContaining({ name: 'b' }), matched: true },
      { observer: expect.objectContaining({ name: 'c' }), matched: false },
      { observer: expect.objectContaining({ name: 'd' }), matched: false },
    ]);
  });

  it('reports CHANGED without a before-image as an error', () => {
    const matcher = new Matcher([observer('a', { kinds: ['update'], when: 'CHANGED(total)' })]);
    expect(outcomes(matcher, orderUpdate(null, '{"total":5}', ['total']))).toEqual([['a', null]]);
  });

  it.each([
    ['is not JSON', '{"total":'],
    ['holds a text that looks like a marked number', '{"total":12345678901234567890,"note":"\\ufdd0#x"}'],
    ['is nested 5,000 deep around a long number', `{"total":5,"note":${'['.repeat(5_000)}12345678901234567890${']'.repeat(5_000)}}`],
    ['holds a text of 8 MiB and a long number', `{"total":12345678901234567890,"note":"${'x'.repeat(8 << 20)}"}`],
  ])('goes on with the other observers when the row %s', (_what, data) => {
    const results = outcomes(new Matcher([observer('a', { when: 'total > 5' }), observer('b')]), orderEvent(data));
    expect(results.map(([name]) => name)).toEqual(['a', 'b']);
    expect(results[1]).toEqual(['b', true]);
  });

  it('refuses a condition that cannot be read when it is built', () => {
    expect(() => new Matcher([observer('a', { when: 'total >' })])).toThrow(ConditionSyntaxError);
  });

  it('finds an action of an observer by both names, and null once the configuration has lost it', () => {
    const matcher = new Matcher([observer('a', { actions: [log('one'), log('two')] }), observer('b')]);
    expect(matcher.find('a', 'two')).toMatchObject({ observer: { name: 'a' }, action: { name: 'two' } });
    expect([matcher.find('a', 'three'), matcher.find('c', 'log'), matcher.find('constructor', 'log')]).toEqual([null, null, null]);
  });

  it('judges one observer whatever its entities and kinds say', () => {
    const matcher = new Matcher([observer('a', { entities: ['Invoice'], kinds: ['delete'], when: 'total > 5' })]);
    expect(matcher.judge('a', orderEvent('{"total":50}'), NOON)).toMatchObject({ matched: true });
    expect(matcher.judge('nobody', orderEvent('{"total":50}'), NOON)).toBeNull();
  });

  it('gives every condition the time that it was given', () => {
    const matcher = new Matcher([observer('a', { when: "AGE(at) > '1h'" })]);
    const event = orderEvent('{"at":"2026-01-31T11:00:00Z"}');
    expect(matcher.match(event, NOON)).toMatchObject([{ matched: false }]);
    expect(matcher.match(event, NOON + 1)).toMatchObject([{ matched: true }]);
  });
});
