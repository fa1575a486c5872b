import { absencesOf, type AbsenceBasis } from '../../../src/explain/absence';
import { compositeKey, otherSpellings, partsOfKey } from '../../../src/explain/key-spelling';

const BASIS: AbsenceBasis = {
  entity: 'Order',
  key: '5',
  observer: null,
  definition: null,
  version: null,
  file: null,
  plans: [],
  facts: {
    newest: null,
    truncated: null,
    keyless: { count: 0, event: null, reason: '' },
    letters: { count: 0, last: null },
    oldest: null,
    muted: [],
    captured: [],
  },
  status: { oldestTransaction: null },
  spelling: null,
  keys: new Map(),
  retention: 604_800_000,
  setting: 'OBSERVERS_RETENTION',
};

test('without a configuration that is said first; a transaction that is open, and changes without keys, are possible', () => {
  const found = absencesOf({
    ...BASIS,
    status: { oldestTransaction: { pid: 4711, user: 'shop', seconds: 31.4 } },
    facts: { ...BASIS.facts, keyless: { count: 2, event: 'e', reason: 'capture_error' } },
  });
  expect(found.map(({ certain, why, next }) => [certain, why, next])).toEqual([
    [true, 'no service has led the stream, and there is no observers file at hand: what is captured is not known', null],
    [false, '2 changes without a key are in quarantine (the last one for capture_error): some may be of Order 5', 'dlq show e'],
    [false, 'a transaction of shop (pid 4711) has been open for 31 s: what it wrote is not there before it commits', null],
    [false, 'the statement ran with observers.mute or fraiseql.cdc_mediated on, as bulk loads do: that leaves no trace', null],
  ]);
});

test('muted is told by role, by database, by both, and for everybody, each with the statement that ends it', () => {
  const muted = (role: string | null, database: string | null, setting = 'observers.mute'): string | undefined =>
    absencesOf({ ...BASIS, facts: { ...BASIS.facts, muted: [{ role, database, setting }] } }).find(({ reason }) => reason === 'muted')?.why;
  expect(muted('shop', null)).toContain('the role shop has observers.mute = on: what is written so leaves no change (alter role shop reset observers.mute)'); // prettier-ignore
  expect(muted('Shop', 'main')).toContain('(alter role "Shop" in database main reset observers.mute)');
  expect(muted(null, 'main', 'fraiseql.cdc_mediated')).toContain('(alter database main reset fraiseql.cdc_mediated)');
  expect(muted(null, null)).toContain('every role has observers.mute = on: what is written so leaves no change (alter role all reset');
});

test('a key of several columns is written as PostgreSQL writes it, digit by digit, and taken apart again', () => {
  expect(compositeKey('["a,b",12345678901234567890.10]')).toBe('["a,b", 12345678901234567890.10]');
  expect(compositeKey(' [ "a \\" b" ,\t7 ] ')).toBe('["a \\" b", 7]');
  expect([compositeKey('5'), compositeKey('a,7'), compositeKey('[1'), compositeKey('{"a": 1}')]).toEqual([null, null, null, null]);
  expect(partsOfKey('["a \\" b", 12345678901234567890]')).toEqual(['a " b', '12345678901234567890']);
  expect(partsOfKey('5')).toEqual([]);
});

test('other spellings are those of one key: parts, quotes, blanks, zeros, capitals', () => {
  expect(otherSpellings('berlin,7')).toEqual(['BERLIN,7', '["berlin", 7]', '["berlin", "7"]']);
  expect(otherSpellings("'5'")).toEqual(['5']);
  expect(otherSpellings(' 0042 ')).toEqual(['0042', '42']);
  expect(otherSpellings('5')).toEqual([]);
});
