import { compileBody, compileTemplate, TemplateError, TemplateRenderError } from '../../../src/matching/template/template';
import { patiently } from '../../support/rendered-texts';
import { orderEvent } from './order-event';

const MANY = `{"list":[${Array.from({ length: 300_000 }, (_, i) => `{"n":${(i * 7_919) % 300_007}.50,"s":"x${i}"}`).join(',')}]}`;
const many = orderEvent(MANY);
// Parsed before the clock runs.
void many.data?.spelled;

/** The message of the error that ends a rendering. */
function endOf(source: string, event = orderEvent('{}')): string {
  const started = performance.now();
  try {
    const { length } = compileTemplate(source, 'text').render(event).text;
    return `${length} characters`;
  } catch (error) {
    expect(error).toBeInstanceOf(TemplateRenderError);
    // Half a second is the limit; the rest is for a machine that does something else besides.
    expect(performance.now() - started).toBeLessThan(5_000);
    return (error as Error).message;
  }
}

const TIME = 'template render limit exceeded';
const MEMORY = 'memory alloc limit exceeded';

/** A text of a million characters, and what is made of it. */
const million = (rest: string): string => `{% assign s = "" %}{% for i in (1..1000) %}{% assign s = s | append: "&" %}{% endfor %}${rest}`;

describe('the limits of a rendering hold within filters', () => {
  it.each([
    'where_exp: "i", "i.n > 5"',
    'reject_exp: "i", "i.n > 5"',
    'group_by_exp: "i", "i.n"',
    'find_exp: "i", "i.n < 0"',
    'find_index_exp: "i", "i.n < 0"',
    'has_exp: "i", "i.n < 0"',
    'where: "n", 5',
    'reject: "n", 5',
    'find: "n", -5',
    'find_index: "n", -5',
    'has: "n", -5',
    'group_by: "n"',
    'sort: "n"',
    'sort_natural: "s"',
    'map: "n"',
    'sum: "n"',
  ])('%s of a list in a list ends in time', (filter) => {
    const again = Array<string>(60).fill(`{% assign x = list | ${filter} %}`).join('');
    expect(endOf(again, many)).toMatch(new RegExp(`^(${TIME}|${MEMORY})$`));
  });

  it('one filter alone is stopped while it loops', () => {
    expect(endOf(`{{ list | where_exp: "i", "${Array<string>(200).fill('i.n > 0').join(' and ')}" | size }}`, many)).toBe(TIME);
  });

  it.each([
    ['url_encode', '{% assign s = s | append: s | url_encode %}'],
    ['cgi_escape', '{% assign s = s | append: s | cgi_escape %}'],
    ['escape', '{% assign s = s | append: s | escape %}'],
    ['newline_to_br', '{% assign s = s | append: s | newline_to_br %}'],
    ['json', '{% assign s = s | append: s | json %}'],
    ['slugify', '{% assign s = s | append: s | slugify: "none" %}'],
    ['base64_encode', '{% assign s = s | base64_encode | append: s %}'],
    ['capture', '{% capture s %}{{ s }}{{ s }}{% endcapture %}'],
    ['replace', '{% assign s = s | replace: "&", "&&" %}'],
    ['split', '{% assign s = s | append: s %}{% assign l = s | split: "" %}'],
  ])('a text that %s makes larger and larger ends the rendering', (_, grow) => {
    expect(endOf(million(`{% for i in (1..40) %}${grow}{% endfor %}{{ s }}`))).not.toContain('characters of');
    expect(endOf(million(`{% for i in (1..40) %}${grow}{% endfor %}{{ s }}`))).toMatch(/limit exceeded|more than 64 million characters/);
  });

  it.each([
    ['outputs', '{% for i in (1..900000) %}{{ s }}{% endfor %}'],
    ['literals', `{% for i in (1..900000) %}${'x'.repeat(50_000)}{% endfor %}`],
    ['captures', `{% capture c %}{% for i in (1..900000) %}${'x'.repeat(50_000)}{% endfor %}{% endcapture %}`],
    ['tables', `{% tablerow i in (1..900000) cols: 1 %}${'x'.repeat(50_000)}{% endtablerow %}`],
  ])('%s in a loop end it', (_, loop) => {
    expect(endOf(million(loop))).toMatch(/limit exceeded|more than 64 million characters/);
  });

  it.each([
    "{{ 0 | date: '%99999999d' }}",
    "{{ 0 | date: '%99999999N' }}",
    "{% assign f = '%A%B' %}{% for i in (1..30) %}{% assign f = f | append: f %}{% endfor %}{{ 0 | date: f }}",
    '{{ 1 | decimals: 1000000000 }}',
    '{{ 1 | round: 1000000000 }}',
    '{{ "x" | slice: 0, 999999999 }}',
  ])('what asks for too much is refused: %s', (source) => {
    expect(endOf(source)).toMatch(/limit exceeded|1000 decimals/);
  });
});

describe('a range', () => {
  it.each([
    ['(1..2000000)', MEMORY],
    ['(1..999999999999)', MEMORY],
    ['(n.low..n.high)', 'a range cannot count to a number beyond 9007199254740991'],
    ['(9007199254740992..9007199254740996)', 'a range cannot count to a number beyond 9007199254740991'],
    ['(1..n.vast)', 'a range cannot count to a number beyond 9007199254740991'],
    ['(n.vast..1)', 'a range cannot count to a number beyond 9007199254740991'],
    ['(1..n.infinite)', 'a range cannot count to a number beyond 9007199254740991'],
  ])('%s is refused, wherever it stands', (range, message) => {
    const event = orderEvent('{"n":{"low":9007199254740993,"high":9007199254740999,"vast":1e300,"infinite":"Infinity"},"list":[1]}');
    expect(endOf(`{% for i in ${range} %}{% endfor %}`, event)).toBe(message);
    expect(endOf(`{% assign r = ${range} %}`, event)).toBe(message);
    expect(endOf(`{{ ${range} | size }}`, event)).toBe(message);
    expect(endOf(`{{ nothing | default: ${range} }}`, event)).toBe(message);
    expect(endOf(`{% tablerow i in ${range} %}{% endtablerow %}`, event)).toBe(message);
    expect(endOf(`{% if ${range} contains 5 %}{% endif %}`, event)).toBe(message);
    expect(endOf(`{{ list | where_exp: "i", "${range} contains i" | size }}`, event)).toBe(message);
  });

  it('counts as before', () => {
    expect(compileTemplate('{% for i in (2..n) %}{{ i }}{% endfor %}|{% for i in (n..2) %}{% endfor %}|{{ (1..3) | join }}|{% for i in (1..m) %}x{% endfor %}', 'text').render(orderEvent('{"n":4}')).text).toBe('234||1 2 3|'); // prettier-ignore
    expect(endOf('{{ (1..500000) | size }}')).toBe('6 characters');
  });
});

test('an event of the largest size can be output as JSON', () => {
  const event = orderEvent(JSON.stringify({ text: 'x'.repeat(16 * 1_048_576 - 20) }));
  expect(compileTemplate('{{ data | json }}', 'text').render(event).text).toBe(event.data?.text);
  expect(compileBody({ row: '{{ data | json }}' }, true).render(event).text).toBe(`{"row":${event.data?.text ?? ''}}`);
});

describe('a row that is nested 100,000 deep', () => {
  const DEEP = 100_000;
  const lists = `${'['.repeat(DEEP)}1.50${']'.repeat(DEEP)}`;
  const objects = `${'{"a":'.repeat(DEEP)}1.50${'}'.repeat(DEEP)}`;
  const event = orderEvent(`{"lists":${lists},"same":${lists},"objects":${objects}}`);

  const textOf = (source: string): string => patiently(() => compileTemplate(source, 'text').render(event).text);

  it('is output as it is', () => {
    expect(textOf('{{ lists }}')).toBe(lists);
    for (const filter of ['json', 'jsonify', 'inspect']) {
      expect(textOf(`{{ lists | ${filter} }}`)).toBe(lists);
      expect(textOf(`{{ objects | ${filter} }}`)).toBe(objects);
    }
    expect(patiently(() => compileBody({ a: '{{ objects | json }}' }, true).render(event).text)).toBe(`{"a":${objects}}`);
  });

  it('is compared', () => {
    expect(textOf('{% if lists == same %}yes{% endif %}')).toBe('yes');
    expect(textOf('{% assign l = lists | concat: same %}{% if l contains lists %}a{% else %}b{% endif %}')).toBe('b');
  });

  it.each([
    'append: ""',
    'upcase',
    'join',
    'where: "x", same',
    'uniq',
    'sort',
    'group_by: "a"',
    'sum',
    'compact',
    'array_to_sentence_string',
  ])('is borne by %s, or refused in words of ours', (filter) => {
    const end = endOf(`{{ lists | ${filter} }}`, event);
    expect(end).toMatch(/characters$|^a value is nested too deep for what the template does with it$/);
  });

  it('a template nested without end is refused in words of ours', () => {
    expect(() => compileTemplate('{% if total %}'.repeat(7_000), 'text')).toThrow(TemplateError);
    expect(() => compileTemplate('{% if total %}'.repeat(7_000), 'text')).not.toThrow('call stack');
  });
});
