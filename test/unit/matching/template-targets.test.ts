import { compileBody, compileTemplate, TemplateRenderError, type TemplateTarget } from '../../../src/matching/template/template';
import { orderEvent, orderUpdate } from './order-event';

const ROW =
  '{"name":"Ann \\"A\\" Lee","total":50,"long":12345678901234567890,"exact":0.12345678901234567890,"n":null,"active":true,"items":[{"sku":"A1"},{"sku":"B2"}],"plan":{"id":9007199254740993},"é":"ü","e-mail":"a@b.c","data":"column"}';

function rendered(source: string, target: TemplateTarget, row = ROW): string {
  return compileTemplate(source, target).render(orderEvent(row)).text;
}

describe('a template', () => {
  it.each([
    ['{{ total }}', '50'],
    ['{{total}}', '50'],
    ['{{   data.total\n}}', '50'],
    ['a {{ total }} b {{ active }}', 'a 50 b true'],
    ['no output', 'no output'],
    ['{ "a": {} }', '{ "a": {} }'],
    ['{{ items[1].sku }}', 'B2'],
    ["{{ data['e-mail'] }}", 'a@b.c'],
    ['{{ é }}', 'ü'],
    ['{{ event.kind }}', 'insert'],
    ['{{ event.type }}', 'order.created'],
    ['{{ event.entity_type }}/{{ event.entity_key }}', 'Order/42'],
    ['{{ entity.type }} {{ entity.key }}', 'Order 42'],
    ['{{ event.sequence }}', '1234'],
    ['{{ event.timestamp }}', '2026-01-31T10:00:00.123456Z'],
    ['{{ event.id }}', '6f2b8c1e-4a57-4f0e-9d3b-2a1c5e7f9b10'],
    ['{{ data.data }}', 'column'],
    ['{{ plan }}', '{"id":9007199254740993}'],
    ['{{ items }}', '[{"sku":"A1"},{"sku":"B2"}]'],
    ['{{ n }}', ''],
    ['{{ nowhere }}', ''],
    ["{{ nowhere | default: 'none' }}", 'none'],
    ['{{ name | upcase }}', 'ANN "A" LEE'],
    ['{{ name | truncate: 6 }}', 'Ann...'],
    ['{{ total | plus: 1 }}', '51'],
    ["{{ '2026-01-31' | date: '%Y' }}", '2026'],
    ['{% if total > 10 %}big{% else %}small{% endif %}', 'big'],
    ['{% for item in items %}{{ item.sku }},{% endfor %}', 'A1,B2,'],
    ['{% assign x = total %}{{ x }}', '50'],
    ['{{ name | json }}', '"Ann \\"A\\" Lee"'],
    ['{{ n | json }}', 'null'],
    ['{{ nowhere | json }}', 'null'],
    ['{{ items | json }}', '[{"sku":"A1"},{"sku":"B2"}]'],
  ])('%j gives %j as text', (source, text) => {
    expect(rendered(source, 'text')).toBe(text);
  });

  it('reads the row before the change', () => {
    const event = orderUpdate('{"status":"new"}', '{"status":"paid"}', ['status']);
    expect(compileTemplate('{{ before.status }} > {{ data.status }} ({{ event.changed | join: "," }})', 'text').render(event).text).toBe(
      'new > paid (status)',
    );
  });

  it('renders an event without a row', () => {
    expect(compileTemplate('[{{ total }}|{{ data.total }}|{{ entity.key }}]', 'text').render(orderEvent(null)).text).toBe('[||42]');
  });

  it.each<TemplateTarget>(['text', 'json', 'header', 'url'])('keeps every digit of int8 and numeric in the target %s', (target) => {
    expect(rendered('{{ long }}', target)).toBe('12345678901234567890');
    expect(rendered('{{ data.exact }}', target)).toBe('0.12345678901234567890');
  });

  it.each(['{{ long | default: 0 }}', '{% assign x = long %}{{ x }}', '{{ long | json }}'])(
    'keeps every digit of a long number in %s',
    (source) => {
      expect(rendered(source, 'text')).toBe('12345678901234567890');
      expect(rendered(source, 'text', '{"long":123456789012345678901234567890}')).toBe('123456789012345678901234567890');
    },
  );

  it.each(['0.0000001', '1000000000000000000000', '-0.00000012'])('writes %s as PostgreSQL writes it, without an exponent', (number) => {
    expect(rendered('{{ total }}', 'text', `{"total":${number}}`)).toBe(number);
    expect(rendered('{{ total | json }}', 'text', `{"total":${number}}`)).toBe(number);
  });

  it.each([
    '{{ long.s }}{{ long.e }}{{ long.c }}{{ long.constructor }}{{ long.size }}{{ data.long.c }}',
    '{% for part in long %}{{ part }}{% endfor %}{% tablerow part in long %}{{ part }}{% endtablerow %}',
    '{{ list.first.c }}{{ list[0].e }}{% assign x = list | first %}{{ x.c }}',
    '{{ list | map: "c" | join: "" }}{{ list | where_exp: "i", "i.c" | join: "" }}',
  ])('does not show the insides of a long number, which has no fields: %s', (source) => {
    expect(rendered(`[${source}]`, 'text', '{"long":12345678901234567890,"list":[12345678901234567890]}')).toBe('[]');
  });

  it.each([
    '{{ long | append: "" }}',
    '{{ "" | append: long }}',
    '{{ list | join }}',
    '{{ long | upcase }}',
    '{{ long | inspect | remove: quote }}',
  ])('keeps every digit of a long number in %s', (source) => {
    for (const long of ['12345678901234567890', '-123456789012345678901234567890.5', '0.0000000001234567890123456789'])
      expect(rendered(source, 'text', `{"long":${long},"list":[${long}],"quote":"\\""}`)).toBe(long);
  });

  it.each([
    ['a == same', true],
    ['a == near', false],
    ['a != near', true],
    ['a < near', true],
    ['near > a', true],
    ['a <= same', true],
    ['a >= near', false],
    ['a == 5', false],
    ['a > 5', true],
    ['5 < a', true],
    ['a == "12345678901234567890"', false],
    ['a > nowhere', false],
    ['small < a', true],
  ])('{%% if %s %%} is %s: comparisons of long numbers are exact', (condition, holds) => {
    const row = '{"a":12345678901234567890,"same":12345678901234567890,"near":12345678901234567891,"small":1}';
    expect(rendered(`{% if ${condition} %}yes{% else %}no{% endif %}`, 'text', row)).toBe(holds ? 'yes' : 'no');
  });

  it('sorts long numbers as doubles, not as texts', () => {
    const row = '{"a":12345678901234567890,"b":9345678901234567890,"list":[12345678901234567890,9345678901234567890]}';
    expect(rendered('{% if a > b %}more{% endif %} {{ list | sort | json }}', 'text', row)).toBe(
      'more [9345678901234567890,12345678901234567890]',
    );
  });

  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'data.constructor',
    'data.__proto__',
    'total.constructor',
    'items.constructor',
    'event.constructor.name',
  ])('finds nothing under %s', (path) => {
    const template = (): string => rendered(`[{{ ${path} }}]`, 'text');
    if (path.startsWith('event.')) expect(template).toThrow('event has no "constructor"');
    else expect(template()).toBe('[]');
  });

  it('reads a column that is called __proto__ or constructor', () => {
    expect(rendered('{{ __proto__ }}{{ data.constructor }}', 'text', '{"__proto__":"a","constructor":"b"}')).toBe('ab');
  });
});

describe('missing values', () => {
  it.each([
    ['{{ total }}', 0],
    ['{{ nowhere }}', 1],
    ['{{ n }}', 1],
    ['{{ nowhere }} {{ data.nope }} {{ total }}', 2],
    ['{{ customer.email }}', 1],
    ["{{ nowhere | default: 'x' }}", 0],
    ['{{ nowhere | json }}', 0],
    ['nothing', 0],
    ['{% if nowhere %}{{ nope }}{% endif %}', 0],
    ["{{ nowhere | date: '%Y' }}", 1],
    ['{{ nowhere | upcase }}', 1],
    ['{{ n | upcase | downcase }}', 1],
    ['{{ customer.email | truncate: 5 }}', 1],
    ['{% echo nowhere | strip %}', 1],
    ['{{ nowhere | join }}', 1],
    ["{{ nowhere | default: '' }}", 0],
    ["{{ nowhere | upcase | default: 'x' }}", 0],
    ["{{ nowhere | append: 'x' }}", 0],
    ['{{ nowhere | size }}', 0],
    ["{{ name | truncate: 0, '' }}", 0],
    ['{{ name | remove: name | upcase }}', 0],
    ['{% capture y %}{{ nowhere }}{% endcapture %}{{ y }}', 1],
  ])('%j has %i', (source, missing) => {
    expect(compileTemplate(source, 'text').render(orderEvent(ROW)).missing).toHaveLength(missing);
  });

  it.each([
    ['{{ nowhere }} {{- data.nope | upcase -}} {{ total }}', ['nowhere', 'data.nope']],
    ['{% if total > 1 %}{% for i in items %}{{ i.nope }}{% endfor %}{% else %}{{ other }}{% endif %}', ['i.nope', 'i.nope']],
    ['{% case 1 %}{% when 1 %}{% echo nowhere | strip %}{% endcase %}', ['nowhere']],
    ["{{ customer['email'] | default: nothing | upcase }}", ["customer['email']"]],
  ])('are named in %j', (source, missing) => {
    expect(compileTemplate(source, 'text').render(orderEvent('{"total":5,"items":[1,2]}')).missing).toEqual(missing);
  });

  it('are counted anew by each rendering', () => {
    const template = compileTemplate('{{ nowhere }}', 'text');
    template.render(orderEvent(ROW));
    expect(template.render(orderEvent(ROW)).missing).toHaveLength(1);
    expect(template.render(orderEvent('{"nowhere":1}')).missing).toHaveLength(0);
  });

  it('are counted in bodies', () => {
    expect(compileBody({ a: '{{ nowhere }}', b: '{{ total }}' }, true).render(orderEvent(ROW))).toEqual({
      text: '{"a":"","b":"50"}',
      missing: ['nowhere'],
    });
  });
});

describe('a structured body', () => {
  const body = (value: object, row = ROW): string => compileBody(value as never, true).render(orderEvent(row)).text;

  it('renders its strings and keeps everything else', () => {
    expect(
      JSON.parse(body({ s: 'Hi {{ name }}', n: 1.5, b: false, nil: null, list: ['{{ total }}', 2], deep: { 'a"b': '{{ nowhere }}' } })),
    ).toEqual({
      s: 'Hi Ann "A" Lee',
      n: 1.5,
      b: false,
      nil: null,
      list: ['50', 2],
      deep: { 'a"b': '' },
    });
  });

  it('puts the value itself where a string is one output with the json filter', () => {
    expect(
      body({ total: '{{ data.total | json }}', long: ' {{ long|json }} ', items: '{{ items | json }}', none: '{{ nowhere | json }}' }),
    ).toBe('{"total":50,"long": 12345678901234567890 ,"items":[{"sku":"A1"},{"sku":"B2"}],"none":null}');
  });

  it('encodes a json output that stands within a longer string', () => {
    expect(JSON.parse(body({ s: 'items: {{ items | json }}!' }))).toEqual({ s: 'items: [{"sku":"A1"},{"sku":"B2"}]!' });
  });

  it('takes whitespace control around the json filter', () => {
    expect(JSON.parse(body({ total: '{{- total | json -}}', long: ' {{-long|json-}} ', name: '{{- name | json }}' }))).toEqual({
      total: 50,
      long: Number('12345678901234567890'),
      name: 'Ann "A" Lee',
    });
    expect(body({ long: '\n{{- long | json -}}\n' })).toBe('{"long":12345678901234567890}');
  });

  it('keeps a member name a text, also where it is one json output', () => {
    expect(JSON.parse(body({ '{{ total | json }}': 1 }))).toEqual({ '50': 1 });
  });

  it('writes null for what a list of a filter lacks', () => {
    expect(JSON.parse(body({ a: '{{ items | map: "nope" | json }}' }))).toEqual({ a: [null, null] });
  });

  it('shares variables between its strings, and nothing else', () => {
    expect(JSON.parse(body({ a: '{% assign x = total %}{% break %}', b: '{{ x }} {{ total }}' }))).toEqual({ a: '', b: '50 50' });
  });

  it('takes a filter argument in quotes, also in the name of a member', () => {
    expect(JSON.parse(body({ a: '{{ nowhere | default: "x" }}', b: "{{ nowhere | default: '\"' }}" }))).toEqual({ a: 'x', b: '"' });
    expect(JSON.parse(body({ '{{ nowhere | default: "x" }}': 1 }))).toEqual({ x: 1 });
  });

  it('keeps literal quotes, backslashes and line breaks of the file', () => {
    expect(JSON.parse(body({ s: 'a "b" \\ \n {{ total }}' }))).toEqual({ s: 'a "b" \\ \n 50' });
  });
});

describe('a body that is a text', () => {
  it('is checked to be JSON when it goes out as JSON', () => {
    expect(compileBody('{"a": "{{ name }}", "b": {{ total }}}', true).render(orderEvent(ROW)).text).toBe(
      '{"a": "Ann \\"A\\" Lee", "b": 50}',
    );
    expect(() => compileBody('{"a": {{ nowhere }}}', true).render(orderEvent(ROW))).toThrow(TemplateRenderError);
  });

  it('goes out as it is when it is not JSON', () => {
    expect(compileBody('name={{ name }}', false).render(orderEvent(ROW)).text).toBe('name=Ann "A" Lee');
  });

  it('that can never be JSON is refused when it is compiled, not at every delivery', () => {
    expect(() => compileBody('hello', true)).toThrow();
  });

  it('does not quote the payload in the message of its error', () => {
    const render = (): unknown => compileBody('{{ name }}', true).render(orderEvent('{"name":"card 4111"}'));
    expect(render).toThrow('the body is not JSON');
    expect(render).not.toThrow('4111');
  });
});

describe('a condition of Firebase', () => {
  it('takes a value as the name of one topic', () => {
    expect(rendered("'{{ name }}' in topics", 'topic', '{"name":"orders-42~a.b%20"}')).toBe("'orders-42~a.b%20' in topics");
  });

  it.each(["x' in topics || 'all", '', 'a b', "'"])('refuses %j, which would name others', (name) => {
    expect(() => rendered("'{{ name }}' in topics", 'topic', JSON.stringify({ name }))).toThrow(TemplateRenderError);
  });
});
