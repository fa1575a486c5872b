import type { ObserverDefinition } from '../../../src/event/definitions';
import type { EntityEvent } from '../../../src/event/entity-event';
import { Matcher, type Judgement } from '../../../src/matching/matcher';
import { NOON, orderEvent, orderUpdate } from './order-event';

const RETRY = { strategy: 'fixed', maxAttempts: 1, initialDelay: 0, maxDelay: 0, maxElapsed: null, schedule: [] } as const;
const BASE: ObserverDefinition = {
  name: 'a',
  entities: ['Order'],
  kinds: ['insert', 'update', 'delete', 'custom'],
  columns: null,
  ignoreUnchanged: false,
  when: null,
  mode: 'live',
  ordering: 'none',
  lookups: [],
  strictTemplates: false,
  onFailure: 'dlq',
  dedup: null,
  retry: RETRY,
  actions: [],
};

function judged(event: EntityEvent, parts: Partial<ObserverDefinition>): Judgement {
  const matcher = new Matcher([{ ...BASE, ...parts }]);
  const [judgement] = matcher.judgeAll(event, NOON);
  const [result] = matcher.match(event, NOON);
  const matched = judgement?.verdict === 'matched' ? true : judgement?.verdict === 'no answer' ? null : false;
  // What decides and what explains are the same.
  expect(result).toMatchObject({ matched });
  expect(matcher.judge('a', event, NOON)).toEqual(result);
  return judgement as Judgement;
}
const verdict = (event: EntityEvent, parts: Partial<ObserverDefinition>): string => judged(event, parts).verdict;

const OLD = '{"id":1,"status":"new","total":5}';
const NEW = '{"id":1,"status":"paid","total":5}';

describe('columns', () => {
  const of = (...columns: string[]): Partial<ObserverDefinition> => ({ columns });

  it.each([
    ['named by the producer', orderUpdate(OLD, NEW, ['status']), 'matched'],
    ['another one was named', orderUpdate(OLD, '{"id":1,"status":"new","total":6}', ['total']), 'other columns'],
    ['different in the images, and nothing is named', orderUpdate(OLD, NEW), 'matched'],
    ['different in the images, and the list is short of it', orderUpdate(OLD, NEW, ['total']), 'matched'],
    ['different in the images, and the list is empty', orderUpdate(OLD, NEW, []), 'matched'],
    ['the same in the images, and nothing is named', orderUpdate(OLD, '{"id":1,"status":"new","total":6}'), 'other columns'],
    ['named, and there is no before-image', orderUpdate(null, NEW, ['status']), 'matched'],
    ['another one was named, and there is no before-image', orderUpdate(null, NEW, ['total']), 'other columns'],
    ['named, and in neither image: masked', orderUpdate('{"id":1}', '{"id":1}', ['status']), 'matched'],
    ['in neither image, and not named', orderUpdate('{"id":1}', '{"id":2}'), 'other columns'],
    ['new in the row', orderUpdate('{"id":1}', NEW), 'matched'],
    ['not in a before-image that holds what is named only', orderUpdate('{"total":1}', NEW, ['total']), 'other columns'],
    ['null now', orderUpdate(OLD, '{"id":1,"status":null,"total":5}'), 'matched'],
    ['the same number in other digits', orderUpdate('{"status":1.0}', '{"status":1.00}'), 'other columns'],
    [
      'an object whose members stand in another order',
      orderUpdate('{"status":{"a":1,"b":2}}', '{"status":{"b":2,"a":1}}'),
      'other columns',
    ],
  ])('an update of a column that is %s', (_what, event, expected) => {
    expect(verdict(event, of('status'))).toBe(expected);
  });

  it('is about any of several columns, and about any entity', () => {
    expect(verdict(orderUpdate(OLD, NEW), { columns: ['total', 'status'], entities: '*' })).toBe('matched');
    expect(verdict(orderUpdate(OLD, NEW), { columns: ['total', 'id'], entities: '*' })).toBe('other columns');
  });

  it.each(['insert', 'delete', 'custom'] as const)('does not narrow events of kind %s', (kind) => {
    expect(verdict(orderEvent(NEW, { kind }), of('nowhere'))).toBe('matched');
  });

  it.each([
    ['no before-image', orderUpdate(null, NEW)],
    ['no data', orderUpdate(OLD, null)],
  ])('has no answer where nothing is named and there is %s: "no" would hide that', (_what, event) => {
    expect(judged(event, of('status', 'total'))).toMatchObject({
      verdict: 'no answer',
      error: 'columns: [status, total] needs the names of the changed columns or the before-image, and this update has neither',
    });
  });

  it('comes before the condition, which is not asked about other columns', () => {
    expect(verdict(orderUpdate(OLD, NEW, ['status']), { columns: ['total'], when: "total = 'x'" })).toBe('other columns');
    expect(verdict(orderUpdate(OLD, NEW, ['status']), { columns: ['status'], when: "status = 'x'" })).toBe('condition not met');
    expect(verdict(orderUpdate(OLD, NEW, ['status']), { columns: ['total'], when: 'lookups.a.b = 1' })).toBe('other columns');
  });

  it('takes a name as it is written: no path, no members of the prototype', () => {
    expect(verdict(orderUpdate('{"a":{"b":1}}', '{"a":{"b":2}}'), of('a.b'))).toBe('other columns');
    expect(verdict(orderUpdate('{"a.b":1}', '{"a.b":2}'), of('a.b'))).toBe('matched');
    expect(verdict(orderUpdate(OLD, NEW), of('constructor', '__proto__'))).toBe('other columns');
  });
});

describe('ignore_unchanged', () => {
  it.each([
    ['names nothing and has the same images', orderUpdate(OLD, OLD, []), 'nothing changed'],
    ['says nothing and has the same images', orderUpdate(OLD, OLD), 'nothing changed'],
    ['says nothing and has images with the same values', orderUpdate('{"a":1.0,"b":2}', '{"b":2,"a":1.00}'), 'nothing changed'],
    ['names nothing and has no before-image', orderUpdate(null, NEW, []), 'nothing changed'],
    ['names nothing, and its images differ', orderUpdate(OLD, NEW, []), 'matched'],
    ['names a column that is in neither image', orderUpdate(OLD, OLD, ['card']), 'matched'],
    ['names a column whose value is equal: 1.0 and 1.00', orderUpdate('{"a":1.0}', '{"a":1.00}', ['a']), 'matched'],
    ['says nothing and has no before-image', orderUpdate(null, NEW), 'matched'],
    ['says nothing and has no data', orderUpdate(OLD, null), 'matched'],
    ['has images that differ only in a digit beyond a double', orderUpdate('{"a":9007199254740993}', '{"a":9007199254740992}'), 'matched'],
    ['has images that are no JSON', orderUpdate('{"a":', '{"b":'), 'matched'],
    [
      'has images too deep to compare',
      orderUpdate(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`, `${'['.repeat(50_000)}2${']'.repeat(50_000)}`),
      'matched',
    ],
  ])('an update that %s', (_what, event, expected) => {
    expect(verdict(event, { ignoreUnchanged: true })).toBe(expected);
    expect(verdict(event, { ignoreUnchanged: false })).toBe('matched');
  });

  it.each(['insert', 'delete', 'custom'] as const)('does not concern events of kind %s', (kind) => {
    expect(verdict(orderEvent(OLD, { kind, before: OLD, changed: [] }), { ignoreUnchanged: true })).toBe('matched');
  });

  it('comes before the condition and its look-ups', () => {
    expect(verdict(orderUpdate(OLD, OLD, []), { ignoreUnchanged: true, when: "total = 'x'" })).toBe('nothing changed');
    expect(verdict(orderUpdate(OLD, OLD, []), { ignoreUnchanged: true, when: 'lookups.a.b = 1' })).toBe('nothing changed');
  });
});
