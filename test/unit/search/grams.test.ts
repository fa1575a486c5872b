import fc from 'fast-check';
import { grams, holding } from '../../../src/search/elasticsearch/grams';
import { microsOf } from '../../../src/search/elasticsearch/query';
import { folded } from '../../../src/search/words';

/** As Elasticsearch answers: one word of the text begins so, or these words follow each other in it. */
function finds(text: string, piece: string): boolean {
  const words = grams(text).split(' ');
  const query = holding('grams', piece) as { prefix?: { grams: string }; match_phrase?: { grams: string } };
  if (query.prefix !== undefined) return words.some((word) => word.startsWith(query.prefix!.grams));
  const sought = query.match_phrase!.grams.split(' ');
  return words.some((_, at) => sought.every((word, i) => words[at + i] === word));
}

const LETTERS = fc.constantFrom('a', 'B', ' ', '\n', '\t', '\u2009', '\u00a0', 'ä', '😀', '"', '%');
const TEXT = fc.array(LETTERS, { maxLength: 30 }).map((letters) => letters.join(''));

test('a piece of a text is found by its grams, and nothing else is', () => {
  fc.assert(
    fc.property(TEXT, fc.array(LETTERS, { minLength: 1, maxLength: 6 }), (text, letters) => {
      const piece = letters.join('');
      expect(finds(text, piece)).toBe(folded(text).includes(folded(piece)));
    }),
    { numRuns: 3_000 },
  );
});

test('each piece that a text has is found', () => {
  fc.assert(
    fc.property(
      TEXT.filter((text) => text !== ''),
      fc.nat(),
      fc.nat(),
      (text, from, length) => {
        const letters = [...text];
        const piece = letters.slice(from % letters.length).slice(0, 1 + (length % letters.length)).join(''); // prettier-ignore
        expect(finds(text, piece)).toBe(true);
      },
    ),
  );
});

test.each([
  ['1970-01-01T00:00:00Z', '0'],
  ['2026-01-31T10:00:00.000001Z', '1769853600000001'],
  ['2026-01-31T12:00:00.123456+02:00', '1769853600123456'],
  ['9999-12-31T23:59:59.9Z', '253402300799900000'],
])('%s has its microseconds', (moment, micros) => {
  expect(microsOf(moment)).toBe(micros);
});
