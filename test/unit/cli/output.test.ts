import { twoLines } from '../../../src/cli/dlq/item';
import { shownOf } from '../../../src/cli/dlq/list.command';
import { hanging, layoutOf, wrapped } from '../../../src/cli/output';
import { colorsFor } from '../../../src/event/terminal';
import { seenUpTo } from '../../../src/status/tail-place';

const ID = '01a214b9-6fb4-73f9-b727-0828f1af2d6c';

test('a sentence goes on beneath its own beginning; a word that is too long has a line, and colours take no room', () => {
  expect(hanging('one two three four', '- ', 11)).toEqual(['- one two', '  three', '  four']);
  expect(hanging('one two', '- ', Infinity)).toEqual(['- one two']);
  expect(hanging(`see ${ID} twice`, '  ', 20)).toEqual(['  see', `  ${ID}`, '  twice']);
  const { bold } = colorsFor(true);
  expect(hanging(`${bold('one')} two three`, '', 7)).toEqual([`${bold('one')} two`, 'three']);
  // A line break of a value is shown as two characters, and takes their room.
  expect(hanging('a\nb cd', '', 6)).toEqual(['a\nb', 'cd']);
});

test('a table that has room is left alone', () => {
  expect(layoutOf(['id', 'message'], [['1', 'short']], 80)).toEqual({ as: 'table', widths: null });
  expect(layoutOf(['id'], [['x'.repeat(500)]], Infinity)).toEqual({ as: 'table', widths: null });
});

test('texts give until the rows fit, and ids and times stay whole', () => {
  const layout = layoutOf(['id', 'died', 'entity', 'message'], [[ID, '2026-11-25 22:00:26', 'Order 42', 'm '.repeat(100)]], 100);
  expect(layout).toEqual({ as: 'table', widths: [36, 19, 8, 31] });
});

test('a text that would be too narrow to be read stands below its row, whole', () => {
  const row = [ID, '2026-11-25 22:00:26', 'm '.repeat(100)];
  expect(layoutOf(['id', 'died', 'message'], [row], 80)).toEqual({ as: 'below', above: 2, widths: [36, 19] });
  expect(layoutOf(['id', 'died', 'observer', 'message'], [[ID, row[1]!, 'order-shipped/webhook', row[2]!]], 72)).toEqual({
    as: 'below',
    above: 2,
    widths: [36, 19],
  });
  const lines = wrapped('every word of a sentence is there, and a-word-that-is-longer-than-a-line is broken', 20);
  expect(lines).toEqual(['every word of a', 'sentence is there,', 'and', 'a-word-that-is-longe', 'r-than-a-line is', 'broken']);
});

test('where not even that fits, each row is a record of its own', () => {
  expect(layoutOf(['id', 'died', 'a', 'b', 'message'], [[ID, '2026-11-25 22:00:26', 'a', 'b', 'm '.repeat(100)]], 50)).toEqual({
    as: 'records',
  });
});

test('colours take no room', () => {
  expect(layoutOf(['a', 'b'], [['\u001b[31mred\u001b[39m', 'x']], 6)).toEqual({ as: 'table', widths: null });
});

test('after a crash of the server only what was shown counts as seen', () => {
  expect(seenUpTo('100:200:100,150,180', 160n)).toBe('100:161:100,150');
  expect(seenUpTo('100:200:170', 160n)).toBe('161:161:');
  expect(seenUpTo('100:200:', 500n)).toBe('200:200:');
});

test.each([80, 120])('an item of the dead letter queue is legible in %i columns: its id is whole, and what failed is said', (columns) => {
  const long = 'x'.repeat(500);
  const row = [
    '5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d',
    '2026-01-31 10:00:00',
    'order-shipped/webhook',
    'Order 42',
    'http_status 400',
    '1',
    long,
  ];
  const [first, second] = twoLines(row, columns);
  expect(first).toBe('5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d  2026-01-31 10:00:00  1 attempt');
  expect(second).toMatch(/^ {2}order-shipped\/webhook {2}Order 42 {2}http_status 400: x+…$/);
  expect(Math.max(first!.length, second!.length)).toBe(columns);
});

test('a list says how many of how many it shows, and how to see the next ones', () => {
  expect(shownOf(50, 3_500, 0)).toBe('50 of 3,500, newest first; the next ones: --offset 50');
  expect(shownOf(50, 3_500, 3_450)).toBe('50 of 3,500, newest first');
});
