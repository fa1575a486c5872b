import { compileBody, compileTemplate, TemplateRenderError } from '../../../src/matching/template/template';
import { orderEvent } from './order-event';

const EVENT = orderEvent('{"id":1,"note":null,"customer":{"email":"ann@example.org"},"items":[]}');

const rendered = (source: string, event = EVENT): string => {
  try {
    return compileTemplate(source, 'text').render(event, true).text;
  } catch (error) {
    if (error instanceof TemplateRenderError) return `error: ${error.message}`;
    throw error;
  }
};

test.each([
  ['{{ toatl }}', 'error: strict_templates: the event has no toatl'],
  ['{{ data.toatl }}', 'error: strict_templates: the event has no data.toatl'],
  ['{{ data.toatl | json }}', 'error: strict_templates: the event has no data.toatl'],
  ['{{ data.toatl | upcase }}', 'error: strict_templates: the event has no data.toatl'],
  ['{{ customer.emial }}', 'error: strict_templates: the event has no customer.emial'],
  ['{% for item in itmes %}x{% endfor %}', 'error: strict_templates: the event has no itmes'],
  ['{% assign x = data.toatl %}{{ x }}', 'error: strict_templates: the event has no data.toatl'],
  ['{% assign x = data.toatl | default: "none" %}{{ x }}', 'none'],
  ['{% capture x %}{{ toatl }}{% endcapture %}', 'error: strict_templates: the event has no toatl'],
  // What is there and has no value is no mistake; nor is what asks.
  ['[{{ note }}]', '[]'],
  ['[{{ before.note }}]', '[]'],
  ['{{ toatl | default: "none" }}', 'none'],
  ['{% if toatl %}a{% else %}b{% endif %}', 'b'],
  ['{% unless data.toatl %}a{% endunless %}', 'a'],
  ['{% for item in items %}{{ item.sku }}{% endfor %}{% assign x = 1 %}{{ x }}', '1'],
  ['{{ id }} {{ event.kind }} {{ entity.key }} {{ customer.email }} {{ data.size }}', '1 insert 42 ann@example.org 4'],
])('a strict template refuses what leads nowhere, and nothing else: %s', (source, expected) => {
  expect(rendered(source)).toBe(expected);
});

test('without strictness the same templates leave an empty text', () => {
  expect(compileTemplate('[{{ data.toatl }}]', 'text').render(EVENT)).toEqual({ text: '[]', missing: ['data.toatl'] });
});

test('what look-ups did not find is refused, and what was not asked is not', () => {
  const source = '[{{ lookups.customer.plan }}]';
  expect(rendered(source, { ...EVENT, lookups: {} })).toBe('error: strict_templates: the event has no lookups.customer');
  expect(rendered(source, { ...EVENT, lookups: { customer: { plan: 'gold' } } })).toBe('[gold]');
  expect(rendered(source, EVENT)).toBe('[]');
});

test('each string of a structure is strict, and so are its names', () => {
  const refused = (body: object): void =>
    void expect(() => compileBody(body as never, true).render(EVENT, true)).toThrow('the event has no toatl');
  refused({ a: ['{{ id }}', { b: '{{ toatl }}' }] });
  refused({ '{{ toatl }}': 1 });
  refused({ a: '{{ toatl | json }}' });
});

test('a template names its columns with their places', () => {
  const source = 'a {{ data.toatl }}\n{{ before.total }}{{ items[0].sku }}{{ data["e-mail"] }}{{ data[key].x }}{% if t %}{% endif %}';
  expect(compileTemplate(source, 'text').columns).toEqual([
    { name: 'toatl', use: 'value', line: 1, column: 6 },
    expect.objectContaining({ name: 'e-mail', line: 2 }),
    expect.objectContaining({ name: 'total', line: 2, column: 4 }),
    expect.objectContaining({ name: 'items', line: 2, column: 22 }),
    expect.objectContaining({ name: 'key', line: 2 }),
    expect.objectContaining({ name: 't', line: 2 }),
  ]);
  const none =
    '{{ event.id }}{{ entity.key }}{{ lookups.a.b }}{{ data }}{% for i in (1..3) offset: continue %}{{ i }}{{ forloop.index }}{% endfor %}{% assign x = 1 %}{{ x }}';
  expect(compileTemplate(none, 'text').columns).toEqual([]);
});
