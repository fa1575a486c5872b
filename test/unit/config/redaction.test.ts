import * as fc from 'fast-check';
import { Redaction } from '../../../src/config/redaction';
import { encodingsOf } from './encodings';

const filled = (raw: string, value: string, reference = '${TOKEN}') => ({
  raw,
  text: raw.replace(reference, () => value),
  outside: [{ reference, value }],
});

test('a long value is taken out wherever it stands', () => {
  const redaction = new Redaction([filled('Bearer ${TOKEN}', 'CANARY-1234')]);
  expect(redaction.text('x CANARY-1234 y CANARY-1234', [])).toBe('x ${TOKEN} y ${TOKEN}');
});

test('a short one is taken out of what was made of its text, and of nothing else', () => {
  const redaction = new Redaction([filled('key-${TOKEN}', '12')]);
  expect(redaction.text('key-12', ['key-12'])).toBe('key-${TOKEN}');
  expect(redaction.text('total 12', ['total {{ total }}'])).toBe('total 12');
});

test('of two values of which one begins the other, each is named rightly', () => {
  const redaction = new Redaction([filled('${A}', 'secret-one', '${A}'), filled('${B}', 'secret-one-and-more', '${B}')]);
  expect(redaction.text('secret-one-and-more/secret-one', [])).toBe('${B}/${A}');
});

test('what goes through filters is not shown at all', () => {
  const redaction = new Redaction([filled("{{ '${TOKEN}' | upcase }}", 'secret-one')]);
  expect(redaction.text('SECRET-ONE', ["{{ 'secret-one' | upcase }}"])).toBe('(not shown: ${TOKEN} stands within {{ }})');
});

test('all texts of a structure, and no number of it', () => {
  const redaction = new Redaction([filled('${TOKEN}', 'secret-one')]);
  expect(redaction.all({ a: ['secret-one', 1, null], b: { c: 'x secret-one' } }, [])).toEqual({
    a: ['${TOKEN}', 1, null],
    b: { c: 'x ${TOKEN}' },
  });
});

test('no value is left, however it was encoded on its way', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }), (value) => {
      fc.pre(value.trim() !== '' && !'${TOKEN}before after'.includes(value));
      const redaction = new Redaction([filled('before ${TOKEN} after', value)]);
      for (const encoded of encodingsOf(value)) {
        // Never longer than the value would be: nothing of it is left over.
        expect(redaction.text(`before ${encoded} after`, [`before ${value} after`])).toBe('before ${TOKEN} after');
      }
    }),
  );
});
