import { compileBody, compileTemplate, TemplateError, TemplateRenderError } from '../../../src/matching/template/template';
import { orderEvent } from './order-event';

function errorOf(source: string): TemplateError {
  try {
    compileTemplate(source, 'text');
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error(`this compiles: ${source}`);
}

describe('a template that cannot be read', () => {
  it.each<readonly [source: string, line: number, column: number, message: string]>([
    ['{{ total', 1, 1, 'output "{{ total" not closed'],
    ['a\n  {{ total | shout }}', 2, 3, 'undefined filter: shout'],
    ['{% if total %}', 1, 1, 'tag {% if total %} not closed'],
    ['{% endif %}', 1, 1, 'tag "endif" not found'],
    ['a {% nonsense %}', 1, 3, 'tag "nonsense" not found'],
    ["{% include 'x' %}", 1, 1, 'tag "include" not found'],
    ["{% render 'x' %}", 1, 1, 'tag "render" not found'],
    ["{% layout 'x' %}", 1, 1, 'tag "layout" not found'],
    ['{% block x %}{% endblock %}', 1, 1, 'tag "block" not found'],
    ['{{ total | raw }}', 1, 1, 'undefined filter: raw'],
    [
      '{{ event.colour }}',
      1,
      4,
      'event has no "colour"; it has id, kind, type, entity_type, entity_key, tenant_id, timestamp, sequence, changed, collapsed',
    ],
    ['a\nb {{ entity.id }}', 2, 6, 'entity has no "id"; it has type, key'],
    ['{{ lookups[0].plan }}', 1, 4, 'lookups needs a name, such as lookups.customer.plan'],
    [
      'The event: {{ event.colour }}',
      1,
      15,
      'event has no "colour"; it has id, kind, type, entity_type, entity_key, tenant_id, timestamp, sequence, changed, collapsed',
    ],
    ['{{ total | times: 1e3 }}', 1, 19, '1e3 is no number in a template; write it with digits and a point, such as 1000 or 0.5'],
    ['{{ 1.5e-3 }}', 1, 4, '1.5e-3 is no number in a template; write it with digits and a point, such as 1000 or 0.5'],
    ['a\n{{ total | times: .5 }}', 2, 19, '5 is no number in a template; write it with digits and a point, such as 1000 or 0.5'],
    ['{% if total > 1_000 %}{% endif %}', 1, 15, '1_000 is no number in a template; write it with digits and a point, such as 1000 or 0.5'],
    ['{{ 0x10 }}', 1, 4, '0x10 is no number in a template; write it with digits and a point, such as 1000 or 0.5'],
  ])('%j is refused at %i:%i: %s', (source, line, column, message) => {
    const error = errorOf(source);
    expect({ line: error.line, column: error.column, message: error.message }).toEqual({ line, column, message });
  });

  it.each([
    "{% liquid include 'x' %}",
    "{% if true %}{% render 'x' %}{% endif %}",
    "{{ 'x' | raw | upcase }}",
    '{% echo total | raw %}',
    '{% assign x = total | raw %}',
  ])('%s is refused wherever it hides', (source) => {
    expect(() => compileTemplate(source, 'json')).toThrow(TemplateError);
  });

  it.each(['a', 'b'])('in a structured body is refused as one written as text (%s)', (name) => {
    expect(() => compileBody({ [name]: ['{{ x | shout }}'] }, true)).toThrow(TemplateError);
  });
});

describe('limits', () => {
  it('refuse a template of more than 100,000 characters as a TemplateError', () => {
    expect(() => compileTemplate(`{{ total }}${'x'.repeat(100_000)}`, 'text')).toThrow(TemplateError);
    expect(() => compileTemplate(`{{ total }}${'x'.repeat(90_000)}`, 'text')).not.toThrow();
  });

  it('refuse a template nested without end as a TemplateError', () => {
    expect(() => compileTemplate('{% if total %}'.repeat(7_000), 'text')).toThrow(TemplateError);
  });

  it.each([
    ['a range of numbers without end', '{% for i in (1..1000000000) %}x{% endfor %}'],
    ['loops in loops', '{% for i in (1..3000) %}{% for j in (1..3000) %}{% for k in (1..3000) %}{% endfor %}{% endfor %}{% endfor %}'],
    [
      'a text that doubles itself',
      '{% assign s = "xxxxxxxxxxxxxxxx" %}{% for i in (1..40) %}{% assign s = s | append: s %}{% endfor %}{{ s }}',
    ],
  ])('end %s with a TemplateRenderError', (_what, source) => {
    expect(() => compileTemplate(source, 'text').render(orderEvent('{}'))).toThrow(TemplateRenderError);
  });

  it('keep a number of nine characters from becoming a text of a million', () => {
    const event = orderEvent('{"n":1e1000000}');
    for (const source of ['{{ n }}', '{{ n | json }}']) {
      let length = 0;
      try {
        length = compileTemplate(source, 'text').render(event).text.length;
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateRenderError);
      }
      expect(length).toBeLessThan(1_000);
    }
  });
});
