import * as fc from 'fast-check';
import { stringifyExactJson } from '../../../src/event/json-document';
import { compileBody, compileTemplate, TemplateRenderError, type TemplateTarget } from '../../../src/matching/template/template';
import { orderEvent } from '../../unit/matching/order-event';
import type { Model } from './reference-evaluator';
import { anyModel, anyText, canonical, readJson, spellJson } from './reference-json';
import { dice } from './unparser';

const rowText = (value: Model, seed: number): string => `{"x":${spellJson(value, dice(seed))},"other":12345678901234567890}`;
const wellFormed = (text: string): string => text.toWellFormed();

/** Expects the text, or a refusal where the value is a number too long to be written out. */
function render(source: string, target: TemplateTarget, row: string): string {
  return compileTemplate(source, target).render(orderEvent(row)).text;
}

/** `-490n` with two decimals is `-4.90`. */
function decimalText(digits: bigint, scale: number): string {
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
  const at = text.length - scale;
  return `${digits < 0n ? '-' : ''}${text.slice(0, at)}${scale === 0 ? '' : `.${text.slice(at)}`}`;
}

function halfAwayFromZero(digits: bigint, scale: number, places: number): bigint {
  if (places >= scale) return digits * 10n ** BigInt(places - scale);
  const unit = 10n ** BigInt(scale - places);
  const [sign, size] = digits < 0n ? [-1n, -digits] : [1n, digits];
  return sign * ((2n * size + unit) / (2n * unit));
}

describe('a structured body', () => {
  it('is JSON for any row, and its leaf is the value', () => {
    fc.assert(
      fc.property(anyModel, fc.integer(), (value, seed) => {
        const row = rowText(value, seed);
        const { text } = compileBody({ whole: '{{ data.x | json }}', admin: false, more: ['{{ x | json }}'] }, true).render(
          orderEvent(row),
        );
        const expected = readJson(row);
        const x = expected.is === 'object' ? (expected.members[0]?.[1] as Model) : expected;
        expect(canonical(readJson(text))).toEqual(
          canonical({
            is: 'object',
            members: [
              ['whole', x],
              ['admin', { is: 'truth', value: false }],
              ['more', { is: 'list', items: [x] }],
            ],
          }),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('holds any text whole, between the literals of the file, and nothing beside it', () => {
    fc.assert(
      fc.property(
        anyText,
        anyText.filter((literal) => !/[{}%]/.test(literal)),
        (value, literal) => {
          const body = { a: `${literal}{{ x }}${literal}`, b: '{{ x }}', admin: false };
          const { text } = compileBody(body, true).render(orderEvent(JSON.stringify({ x: value })));
          expect(JSON.parse(text)).toEqual({ a: literal + value + literal, b: value, admin: false });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keeps whatever structure the file gives it when nothing in it is a template', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          anyText.filter((name) => !/\{[{%]/.test(name)),
          fc.jsonValue({ maxDepth: 3 }),
        ),
        (body) => {
          const text = JSON.stringify(body);
          fc.pre(!/\{[{%]/.test(text));
          expect(JSON.parse(compileBody(body, true).render(orderEvent('{}')).text)).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a header', () => {
  it('never holds a line break, another control character, or anything beyond ASCII', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const row = JSON.stringify({ x: value });
        // eslint-disable-next-line no-control-regex -- what a header refuses
        if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
          expect(() => render('{{ x }}', 'header', row)).toThrow(TemplateRenderError);
        } else {
          const text = render('a {{ x }} b', 'header', row);
          expect(text).toMatch(/^[\t\x20-\x7e]*$/);
          expect(text.startsWith('a ') && text.endsWith(' b')).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps printable ASCII as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (value) => {
        expect(render('{{ x }}', 'header', JSON.stringify({ x: value }))).toBe(value);
      }),
    );
  });

  it('holds any value of the row in one line, or is refused', () => {
    fc.assert(
      fc.property(anyModel, fc.integer(), (value, seed) => {
        let text = '';
        try {
          text = render('{{ x }}', 'header', rowText(value, seed));
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateRenderError);
        }
        expect(text).toMatch(/^[\t\x20-\x7e]*$/);
      }),
    );
  });
});

describe('a URL', () => {
  it('holds any text as one component that decodes to it', () => {
    fc.assert(
      // An empty one is refused: it would be another path.
      fc.property(
        anyText.filter((text) => text !== ''),
        (value) => {
          const text = render('{{ x }}', 'url', JSON.stringify({ x: value }));
          expect(text).toMatch(/^[A-Za-z0-9\-_.!~*'()%]*$/);
          expect(decodeURIComponent(text)).toBe(wellFormed(value));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('holds any value as its JSON text, encoded', () => {
    fc.assert(
      fc.property(
        anyModel.filter(({ is }) => is === 'list' || is === 'object'),
        fc.integer(),
        (value, seed) => {
          const row = rowText(value, seed);
          const event = orderEvent(row);
          const text = compileTemplate('{{ x }}', 'url').render(event).text;
          const own = (event.data?.spelled as { x: Parameters<typeof stringifyExactJson>[0] }).x;
          expect(decodeURIComponent(text)).toBe(wellFormed(stringifyExactJson(own)));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('any template', () => {
  it('writes numbers with all their digits in every target', () => {
    const number = fc
      .tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 45n }), fc.stringMatching(/^(\.[0-9]{1,25}|)$/))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        number,
        fc.constantFrom<TemplateTarget>('json', 'header', 'url', 'text'),
        fc.constantFrom(
          '{{ x }}',
          '{{ data.x | json }}',
          '{{ x | default: 0 }}',
          '{{ x | append: "" }}',
          '{% for i in list %}{{ i }}{% endfor %}',
        ),
        (n, target, source) => {
          expect(decodeURIComponent(render(source, target, `{"x":${n},"list":[${n}]}`))).toBe(n);
        },
      ),
    );
  });

  it('computes with numbers exactly, with the decimals of both', () => {
    const decimal = fc
      .tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: 0, max: 12 }))
      .map(([digits, scale]) => ({ digits, scale, text: decimalText(digits, scale) }));
    fc.assert(
      fc.property(decimal, decimal, fc.integer({ min: 0, max: 6 }), (a, b, places) => {
        const row = `{"a":${a.text},"b":${b.text}}`;
        const scale = Math.max(a.scale, b.scale);
        const [x, y] = [a, b].map(({ digits, scale: own }) => digits * 10n ** BigInt(scale - own)) as [bigint, bigint];
        const computed = (source: string): string => render(`{{ ${source} }}`, 'text', row);
        expect(computed('a | plus: b')).toBe(decimalText(x + y, scale));
        expect(computed('a | minus: b')).toBe(decimalText(x - y, scale));
        expect(computed('a | times: b')).toBe(decimalText(a.digits * b.digits, a.scale + b.scale));
        expect(computed(`a | round: ${places}`)).toBe(decimalText(halfAwayFromZero(a.digits, a.scale, places), places));
        expect(computed('a | at_least: b')).toBe(x < y ? b.text : a.text);
        expect(render('{% if a < b %}<{% elsif a == b %}={% else %}>{% endif %}', 'text', row)).toBe(x < y ? '<' : x === y ? '=' : '>');
      }),
      { numRuns: 500 },
    );
  });

  it('names exactly the outputs that have no value', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('x', 'data.x', 'nothing', 'before.x', 'nowhere', 'data.nowhere.deep')), (paths) => {
        const source = paths.map((path) => `[{{ ${path} }}]`).join('');
        const { text, missing } = compileTemplate(source, 'text').render(orderEvent('{"x":0,"nothing":null}'));
        const present = (path: string): boolean => path === 'x' || path === 'data.x';
        expect(missing).toEqual(paths.filter((path) => !present(path)));
        expect(text).toBe(paths.map((path) => (present(path) ? '[0]' : '[]')).join(''));
      }),
    );
  });

  it('renders a text of the row as it is, also when it looks like a template', () => {
    const pieces = fc.array(
      fc.constantFrom('{{', '}}', '{%', '%}', '{{ secret }}', '{% echo secret %}', 'raw', 'endraw', ' ', 'secret', '|', '"', "'"),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        pieces.map((parts) => parts.join('')),
        (value) => {
          expect(render('{{ x }}', 'text', JSON.stringify({ x: value, secret: 'S3CR3T' }))).toBe(value);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('renders or throws a TemplateRenderError, whatever the row', () => {
    const sources = [
      '{{ x }}',
      '{{ x.a[0] }}',
      '{{ x | upcase | size }}',
      '{% for i in x %}{{ i }}{% endfor %}',
      '{{ x | plus: 1 }}',
      "{{ x | date: '%Y' }}",
      '{{ x | sort | join }}',
      '{{ x | map: "a" }}',
      '{% if x > 5 %}{{ x }}{% endif %}',
      '{{ x | truncate: 3 }}',
    ];
    fc.assert(
      fc.property(
        anyModel,
        fc.integer(),
        fc.constantFrom(...sources),
        fc.constantFrom<TemplateTarget>('json', 'header', 'url', 'text'),
        (value, seed, source, target) => {
          try {
            expect(typeof render(source, target, rowText(value, seed))).toBe('string');
          } catch (error) {
            expect(error).toBeInstanceOf(TemplateRenderError);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
