import { fittingWidths } from '../../../src/cli/output';
import { seenUpTo } from '../../../src/cli/tail/follower';

test('a table that has room is left alone', () => {
  expect(
    fittingWidths(
      [
        ['id', 'message'],
        ['1', 'short'],
      ],
      80,
    ),
  ).toBeNull();
  expect(fittingWidths([['id'], ['x'.repeat(500)]], Infinity)).toBeNull();
});

test('the widest columns give until the rows fit, and those that are narrow stay whole', () => {
  const widths = fittingWidths(
    [
      ['id', 'entity', 'message'],
      ['1', 'Order 42', 'm'.repeat(200)],
    ],
    60,
  );
  expect(widths).toEqual([2, 8, 46]);
  expect(widths!.reduce((sum, width) => sum + width, 2 * 2)).toBe(60);
});

test('a column is never narrower than anybody could read, and colours take no room', () => {
  expect(fittingWidths([['a'.repeat(50), 'b'.repeat(50)]], 4)).toEqual([6, 6]);
  expect(fittingWidths([['\u001b[31mred\u001b[39m', 'x']], 6)).toBeNull();
});

test('after a crash of the server only what was shown counts as seen', () => {
  expect(seenUpTo('100:200:100,150,180', 160n)).toBe('100:161:100,150');
  expect(seenUpTo('100:200:170', 160n)).toBe('161:161:');
  expect(seenUpTo('100:200:', 500n)).toBe('200:200:');
});
