import { compileBody, compileTemplate, TemplateRenderError, type TemplateTarget } from '../../../src/matching/template/template';
import { patiently } from '../../support/rendered-texts';
import { orderEvent } from './order-event';

/** Columns as PostgreSQL writes them in JSON: numeric(12,2), numeric, int8, float8. */
const ROW = `{"total":4.90,"whole":702.00,"small":0.0000001,"large":1000000000000000000000,"id":9007199254740993,"long":12345678901234567890,
  "long2":12345678901234567891,"minus":-0.125,"zero":0.00,"floated":1e-07,"tenth":0.1,"fifth":0.2,"cent":2.675,"nan":"NaN","infinite":"Infinity","below":"-Infinity",
  "yes":true,"mixed":[null,"a",1.50],"vast":1e300000000,"text":"19.90","word":"ten","nothing":null,"negative":-0,"prices":[4.90,10.00,0.10],"twice":[4.9,4.90,5],
  "items":[{"sku":"b","price":10.00,"n":9007199254740993},{"sku":"a","price":9.90,"n":9007199254740992},{"sku":"c","price":9.9,"n":1}],"at":2.00}`;

const rendered = (source: string, target: TemplateTarget = 'text', row = ROW): string => {
  try {
    return compileTemplate(source, target).render(orderEvent(row)).text;
  } catch (error) {
    if (error instanceof TemplateRenderError) return `error: ${error.message}`;
    throw error;
  }
};

const SPELLINGS = ['4.90', '702.00', '0.0000001', '1000000000000000000000', '-0.10', '0.00', '9223372036854775807', '0.12345678901234567890', '100', '-7', '-0', '12345678901234567890.10']; // prettier-ignore

describe('the digits of the database', () => {
  it.each(SPELLINGS)('%s stays as it is in every target, and through filters that do not compute', (number) => {
    const row = `{"n":${number},"list":[${number}],"deep":{"a":[${number}]}}`;
    for (const target of ['text', 'json', 'header', 'url', 'html', 'pattern', 'subject'] as const) {
      const expected = target === 'subject' ? number.replace('.', '%2E') : target === 'pattern' ? number.replace('-', '\\-') : number;
      expect([target, rendered('{{ n }}', target, row)]).toEqual([target, expected]);
      expect([target, rendered('{{ data.n }}', target, row)]).toEqual([target, expected]);
    }
    for (const source of [
      '{{ n | append: "" }}',
      '{{ "" | prepend: n }}',
      '{{ n | upcase }}',
      '{{ n | json }}',
      '{{ n | jsonify }}',
      '{{ n | inspect }}',
      '{{ n | default: 1 }}',
      '{{ list | join }}',
      '{{ list | first }}',
      '{{ list | last }}',
      '{{ list | map: "x" | size }}{% assign x = n %}'.replace(/^.*?%/, '{%') + '{{ x }}',
      '{{ list | sort | first }}',
      '{{ list | uniq | join }}',
      '{{ list | sum }}',
      '{{ deep.a | compact | first }}',
      '{% for i in list %}{{ i }}{% endfor %}',
      '{% capture c %}{{ n }}{% endcapture %}{{ c }}',
      '{% echo n %}',
      '{% cycle n, n %}',
      '{{ n | plus: 0 }}',
      '{{ n | minus: 0 }}',
      '{{ n | times: 1 }}',
      '{{ n | divided_by: 1 }}',
      '{{ n | at_least: n }}',
      '{{ n | to_integer }}',
      '{{ n | truncate: 100 }}',
      '{{ n | url_encode }}',
      '{{ list | array_to_sentence_string }}',
      '{{ n | split: "," | join }}',
    ]) {
      // A computed 0 has no sign.
      const expected = number === '-0' && /sum|plus|minus|times|divided|at_least|to_integer/.test(source) ? '0' : number;
      expect([source, rendered(source, 'text', row)]).toEqual([source, expected]);
    }
    expect(rendered('{{ deep | json }}', 'text', row)).toBe(`{"a":[${number}]}`);
    expect(compileBody({ n: '{{ n | json }}', t: '{{ n }}' }, true).render(orderEvent(row)).text).toBe(`{"n":${number},"t":"${number}"}`);
  });

  it('of a float stand without an exponent, and those of the row before and of a look-up stay too', () => {
    expect(rendered('{{ floated }} {{ floated | append: "" }}')).toBe('0.0000001 0.0000001');
    const event = orderEvent('{}', { kind: 'update', before: '{"total":4.90}' });
    expect(compileTemplate('{{ before.total }}', 'text').render(event).text).toBe('4.90');
  });

  it.each([
    ['1.5e-10', '0.00000000015'],
    ['1e+21', '1000000000000000000000'],
    ['-2.5e+22', '-25000000000000000000000'],
    ['1e-07', '0.0000001'],
    ['5e-324', `0.${'0'.repeat(323)}5`],
    ['1.7976931348623157e+308', `17976931348623157${'0'.repeat(292)}`],
  ])('of the float %s, as PostgreSQL writes it, have no exponent behind any filter', (float, digits) => {
    const row = `{"n":${float},"list":[${float}]}`;
    for (const filter of ['n', 'n | append: ""', 'n | strip', 'n | upcase', 'n | url_encode', 'n | json', 'list | first | append: ""', 'n | times: 1 | append: ""'])
      expect([filter, rendered(`{{ ${filter} }}`, 'text', row)]).toEqual([filter, digits]);
    expect(rendered('{% assign x = n | prepend: "" %}{{ x }}', 'text', row)).toBe(digits);
  }); // prettier-ignore

  it('stand in JSON with lines, where these are asked for', () => {
    expect(rendered('{{ items[0] | jsonify: 2 }}')).toBe('{\n  "sku": "b",\n  "price": 10.00,\n  "n": 9007199254740993\n}');
    expect(compileTemplate('{{ nowhere | jsonify }}', 'text').render(orderEvent(ROW)).missing).toEqual(['nowhere']);
  });

  it('of a literal of the template stay', () => {
    expect(
      rendered('{{ 4.90 }} {{ 12345678901234567890 }} {% assign x = 0.0000001 %}{{ x }} {{ 5 | times: 1.10 }} {{ -3 | plus: +2 }}'),
    ).toBe('4.90 12345678901234567890 0.0000001 5.50 -1');
  });
});

describe('arithmetic is exact', () => {
  it.each([
    ['total | plus: whole', '706.90'],
    ['tenth | plus: fifth', '0.3'],
    ['total | minus: 4.9', '0.00'],
    ['total | times: 3', '14.70'],
    ['total | times: 1.19', '5.8310'],
    ['id | plus: 1', '9007199254740994'],
    ['long | minus: long2', '-1'],
    ['long | times: long', '152415787532388367501905199875019052100'],
    ['total | divided_by: 2', '2.45'],
    ['whole | divided_by: 4', '175.50'],
    ['10 | divided_by: 3', '3.33333333333333333333'],
    ['10 | divided_by: 4', '2.5'],
    ['10 | divided_by: 3, true', '3'],
    ['-10 | divided_by: 3, true', '-4'],
    ['2.9999999999999999999999 | divided_by: 1, true', '2'],
    ['total | divided_by: zero', 'error: division by zero'],
    ['total | modulo: zero', 'error: division by zero'],
    ['total | modulo: 2', '0.90'],
    ['-7 | modulo: 3', '2'],
    ['7 | modulo: -3', '-2'],
    ['long | modulo: 10', '0'],
    ['minus | abs', '0.125'],
    ['negative | abs', '0'],
    ['minus | ceil', '0'],
    ['minus | floor', '-1'],
    ['total | ceil', '5'],
    ['whole | ceil', '702'],
    ['total | floor', '4'],
    ['total | at_least: 5', '5'],
    ['total | at_least: 4.8', '4.90'],
    ['long | at_most: long2', '12345678901234567890'],
    ['total | round', '5'],
    ['total | round: 1', '4.9'],
    ['total | round: 2', '4.90'],
    ['whole | round: 2', '702.00'],
    ['702 | round: 2', '702.00'],
    ['cent | round: 2', '2.68'],
    ['1.005 | round: 2', '1.01'],
    ['-1.005 | round: 2', '-1.01'],
    ['-0.001 | round: 2', '0.00'],
    ['1250 | round: -2', '1300'],
    ['long | round: 2', '12345678901234567890.00'],
    ['1 | round: 2000', 'error: a number is rounded to 1000 decimals at the most'],
    ['text | times: 2', '39.80'],
    ['" 19.90 " | plus: 0', '19.90'],
    ['word | plus: 1', '1'],
    ['nothing | plus: 1', '1'],
    ['nan | plus: 1', 'NaN'],
    ['total | times: nan', 'NaN'],
    ['nan | round: 2', 'NaN'],
    ['nan | at_least: 0', 'NaN'],
    ['infinite | plus: 1', 'Infinity'],
    ['infinite | minus: infinite', 'NaN'],
    ['below | abs', 'Infinity'],
    ['below | floor', '-Infinity'],
    ['infinite | at_most: total', '4.90'],
    ['nan | money', 'NaN'],
    ['prices | sum', '15.00'],
    ['items | sum: "price"', '29.80'],
    ['items | sum: "n"', '18014398509481986'],
    ['long | to_integer | plus: 1', '12345678901234567891'],
    ['word | to_integer', 'error: to_integer needs a number'],
  ])('{{ %s }} is %s', (source, expected) => {
    expect(rendered(`{{ ${source} }}`)).toBe(expected);
  });

  it.each([
    ['total | decimals', '4.90'],
    ['total | decimals: 0', '5'],
    ['total | decimals: 4', '4.9000'],
    ['id | decimals', '9007199254740993.00'],
    ['cent | decimals: 2', '2.68'],
    ['total | money', '4.90'],
    ['702 | money', '702.00'],
    ['1234567.005 | money', '1234567.01'],
    ['total | times: 3 | money', '14.70'],
    ["total | money: 'EUR'", '4.90 EUR'],
    ["whole | money: 'jpy'", '702 JPY'],
    ["total | money: 'KWD'", '4.900 KWD'],
    ["total | money: 'euro'", "error: money takes the code of a currency, such as 'EUR'"],
    ['word | money', 'error: money needs a number'],
    ['prices | decimals', 'error: decimals needs a number'],
  ])('a bill has what it needs: {{ %s }} is %s', (source, expected) => {
    expect(rendered(`{{ ${source} }}`)).toBe(expected);
  });

  it('no amount is no amount, and not 0.00', () => {
    const template = compileTemplate('[{{ nothing | money }}{{ nowhere | decimals: 2 }}]', 'text');
    expect(template.render(orderEvent(ROW))).toEqual({ text: '[]', missing: ['nothing', 'nowhere'] });
    expect(rendered('{{ nowhere | money | json }} {{ total | money | json }}')).toBe('null 4.90');
  });

  it('takes numbers as long as numeric may be, and none that are longer', () => {
    const nines = '9'.repeat(131_072);
    const row = `{"a":${nines},"b":${nines.slice(0, -1)}8,"zeros":1e131000,"c":${'7'.repeat(3_000)},"vast":1e300000000,"long":${'9'.repeat(200_000)}}`;
    const computed = (source: string): string => patiently(() => compileTemplate(`{{ ${source} }}`, 'text').render(orderEvent(row)).text);
    expect(computed('a | minus: b')).toBe('1');
    expect(computed('a | divided_by: a')).toBe('1');
    expect(computed('a | modulo: b')).toBe('1');
    expect(computed('a | plus: 1')).toBe(`1${'0'.repeat(131_072)}`);
    expect(computed('a | times: a | append: "" | size')).toBe('262144');
    expect(computed('zeros | modulo: c | append: "" | size')).toMatch(/^\d{4}$/);
    for (const source of ['{{ vast | plus: 1 }}', '{{ vast | round: 2 }}', '{{ long | times: 2 }}'])
      expect(rendered(source, 'text', row)).toBe('error: a number has more digits than PostgreSQL computes with');
  });
});

describe('comparisons', () => {
  it.each([
    ['total == 4.9', true],
    ['total == 4.90', true],
    ['total != 4.91', true],
    ['total > 4', true],
    ['total < id', true],
    ['id == 9007199254740993', true],
    ['id == 9007199254740992', false],
    ['long < 12345678901234567891', true],
    ['long >= long2', false],
    ['total == "4.90"', false],
    ['total >= "4.90"', true],
    ['"5" > total', true],
    ['total > nothing', false],
    ['5 > nothing', false],
    ['nothing < total', false],
    ['nothing == nil', true],
    ['total == nil', false],
    ['total == empty', false],
    ['total != nil', true],
    ['nothing != nil', false],
    ['nowhere != nil', false],
    ['word != blank', true],
    ['prices != empty', true],
    ['yes == true', true],
    ['yes != true', false],
    ['yes != false', true],
    ['mixed contains true', false],
    ['mixed contains "a"', true],
    ['mixed contains nothing', true],
    ['prices contains nothing', false],
    ['items contains word', false],
    ['word contains total', false],
    ['word != 10', true],
    ['prices != items', true],
    ['word == blank', false],
    ['zero == 0', true],
    ['negative == 0', true],
    ['prices == prices', true],
    ['twice contains 4.900', true],
    ['prices contains 4.91', false],
    ['word contains "en"', true],
    ['word > "a"', true],
    ['nan > 5', false],
    ['nan < 5', false],
    ['infinite > 5', true],
    ['vast > 5', true],
    ['vast == vast', true],
    ['5 < vast', true],
  ])('{%% if %s %%} is %s', (condition, holds) => {
    expect(rendered(`{% if ${condition} %}yes{% else %}no{% endif %}`)).toBe(holds ? 'yes' : 'no');
  });

  it('case, sort, where, uniq and groups go by value', () => {
    expect(rendered('{% case total %}{% when 4.9 %}a{% else %}b{% endcase %}')).toBe('a');
    expect(rendered('{{ prices | sort | join: " " }}')).toBe('0.10 4.90 10.00');
    expect(rendered('{{ items | sort: "n" | map: "sku" | join }}')).toBe('c a b');
    expect(rendered('{{ items | sort_natural: "sku" | map: "sku" | join }}')).toBe('a b c');
    expect(rendered('{{ items | where: "price", 9.9 | map: "sku" | join }}')).toBe('a c');
    expect(rendered('{{ items | where_exp: "i", "i.n == 9007199254740993" | map: "sku" | join }}')).toBe('b');
    expect(rendered('{{ items | reject_exp: "i", "i.price > 9.90" | map: "sku" | join }}')).toBe('a c');
    expect(rendered('{{ items | find: "price", 10 | map: "sku" }}')).toBe('["b"]');
    expect(rendered('{{ items | find_exp: "i", "i.price == 9.9" | map: "sku" }} {{ items | find_index_exp: "i", "i.n == 1" }}')).toBe(
      '["a"] 2',
    );
    expect(rendered('{{ items | has_exp: "i", "i.n > 9007199254740993" }} {{ items | has: "price", 9.90 }}')).toBe('false true');
    expect(rendered('{{ twice | uniq | json }}')).toBe('[4.9,5]');
    expect(rendered('{{ items | group_by: "price" | json }}')).toBe(
      '[{"name":10.00,"items":[{"sku":"b","price":10.00,"n":9007199254740993}]},{"name":9.90,"items":[{"sku":"a","price":9.90,"n":9007199254740992},{"sku":"c","price":9.9,"n":1}]}]',
    );
    expect(
      rendered('{% assign g = items | group_by_exp: "i", "i.price | round" %}{% for x in g %}{{ x.name }}:{{ x.items.size }} {% endfor %}'),
    ).toBe('10:3 ');
  });

  it('of times are those of conditions', () => {
    const row = '{"at":"2026-02-01T00:00:00+00:00"}';
    expect(rendered("{% if at >= '2026-02-01T00:00:00Z' and at == '2026-02-01' and at < '10000-01-01' %}yes{% endif %}", 'text', row)).toBe(
      'yes',
    );
  });
});

test('a number with decimals finds an element, and counts', () => {
  expect(
    rendered(
      '{{ items[at].sku }} {% for i in (1..at) %}{{ i }}{% endfor %} {{ word | slice: zero, at }} {{ prices | join | truncate: at, "" }}',
    ),
  ).toBe('c 12 te 4.');
  expect(rendered('{% for i in items limit: at offset: zero %}{{ i.sku }}{% endfor %}')).toBe('ba');
});
