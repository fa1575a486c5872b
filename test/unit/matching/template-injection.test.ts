import {
  compileBody,
  compileTemplate,
  TemplateError,
  TemplateRenderError,
  type TemplateTarget,
} from '../../../src/matching/template/template';
import { orderEvent } from './order-event';

/** What an attacker may have typed into a column. */
// prettier-ignore
const CORPUS = [
  '"},"admin":true', '","admin":true,"z":"', '\\', '\\"', '"', '\'', '\u0000', '\b\f\n\r\t', 'a\r\nx-admin: 1', 'a\nb', '\u2028\u2029',
  '\ud800', '\udc00x', '😀', 'é', '{{ event.id }}', '{{ secret }}', '{% assign x = 1 %}', '{% raw %}', '{% endif %}', '{{', '}}', '%}',
  '{{ "x" | raw }}', '${process.env.HOME}', '$(id)', '`id`', '<script>alert(1)</script>', '&amp;', '__proto__', 'constructor',
  '{"__proto__":{"admin":true}}', '../../etc/passwd', '?a=b&c=d#e', 'a/b', '%2e%2e', '%0d%0a', 'NaN', 'null', 'true', '1e999', '\uFDD0#1',
  '\uFEFF', 'x'.repeat(5_000),
];

const event = (value: string): ReturnType<typeof orderEvent> =>
  orderEvent(JSON.stringify({ x: value, list: [value], object: { [value]: value }, secret: 'SECRET' }));

describe('a value of the row', () => {
  it.each(CORPUS)('%j stays one text in a structured JSON body', (value) => {
    const body = compileBody(
      { a: '{{ x }}', b: 'before {{ x }} after', c: '{{ x | json }}', d: '{{ object | json }}', admin: false, list: ['{{ x }}'] },
      true,
    );
    const { text } = body.render(event(value));
    const wellFormed = JSON.parse(JSON.stringify(value)) as string;
    expect(JSON.parse(text)).toEqual({
      a: wellFormed,
      b: `before ${wellFormed} after`,
      c: wellFormed,
      d: JSON.parse(JSON.stringify({ [value]: value })),
      admin: false,
      list: [wellFormed],
    });
    if (!value.includes('SECRET')) expect(text).not.toContain('SECRET');
  });

  it.each(CORPUS)('%j stays one text in a JSON body written as text', (value) => {
    const { text } = compileBody('{"a":"{{ x }}","admin":false,"b":{{ x | json }}}', true).render(event(value));
    expect(JSON.parse(text)).toEqual({ a: value, admin: false, b: value });
  });

  it.each(CORPUS)('%j is one printable line in a header, or is refused', (value) => {
    let text: string;
    try {
      text = compileTemplate('v={{ x }}', 'header').render(event(value)).text;
    } catch (error) {
      expect(error).toBeInstanceOf(TemplateRenderError);
      expect(value).toMatch(/[\0-\x08\x0a-\x1f\x7f]/); // eslint-disable-line no-control-regex -- what a header refuses
      return;
    }
    expect(text).toMatch(/^v=[\t\x20-\x7e]*$/);
    expect(value).not.toMatch(/[\r\n]/);
  });

  it.each(CORPUS)('%j is one component in a URL', (value) => {
    const { text } = compileTemplate('/o?q={{ x }}&admin=false', 'url').render(event(value));
    const url = new URL(`https://receiver.test${text}`);
    expect(url.searchParams.get('q')).toBe(value.toWellFormed());
    expect(url.searchParams.get('admin')).toBe('false');
    expect([...url.searchParams.keys()]).toEqual(['q', 'admin']);
    expect(url.hash).toBe('');
    expect(url.pathname).toBe('/o');
  });

  it.each(CORPUS)('%j comes out of a text template as it is, never expanded a second time', (value) => {
    expect(compileTemplate('{{ x }}', 'text').render(event(value)).text).toBe(value);
    expect(compileTemplate('{% assign y = x %}{{ y | append: "" }}', 'text').render(event(value)).text).toBe(value);
  });

  it.each(['.', '..'])('%j does not change the path of a URL: it would name another resource of the receiver', (value) => {
    const render = (): string =>
      new URL(`https://receiver.test${compileTemplate('/orders/{{ x }}/notify', 'url').render(event(value)).text}`).pathname;
    // Percent-encoding does not help, for %2e%2e means the same: such a value has to be refused.
    expect(render).toThrow(TemplateRenderError);
  });
});

describe('no construct switches the encoding off', () => {
  const EVIL = '"},"admin":true,"z":{"';
  const CRLF = 'a\r\nx-admin: 1';

  it.each([
    '{{ x }}',
    '{% echo x %}',
    '{% liquid echo x %}',
    '{% cycle x, x %}',
    '{% liquid\n assign y = x\n echo y %}',
    '{% capture y %}{{ x }}{% endcapture %}{{ y }}',
    '{{ list | join }}',
    '{{ list }}',
    '{% for i in list %}{{ i }}{% endfor %}',
    '{{ x | jsonify }}',
    '{{ x | inspect }}',
    '{{ x | escape }}',
    '{{ x | json | append: "" }}',
    '{{ object | json | upcase | downcase }}',
  ])('%s in JSON and in a header', (construct) => {
    const json = JSON.parse(
      compileBody(`{"a":"${construct.replaceAll('"', "'")}","admin":false}`, true).render(event(EVIL)).text,
    ) as Record<string, unknown>;
    expect(Object.keys(json)).toEqual(['a', 'admin']);
    expect(json['admin']).toBe(false);
    let header = '';
    try {
      header = compileTemplate(construct, 'header').render(event(CRLF)).text;
    } catch (error) {
      expect(error).toBeInstanceOf(TemplateRenderError);
    }
    expect(header).not.toMatch(/[\r\n]/);
  });

  it.each([',', ',1,', ',{},', '","x'])('%j within a string with the json filter adds no element to a list', (value) => {
    let list: unknown = ['refused'];
    try {
      list = JSON.parse(compileBody(['a {{ x | json }} b'], true).render(event(value)).text);
    } catch (error) {
      expect(error).toBeInstanceOf(TemplateRenderError);
    }
    expect(list).toHaveLength(1);
  });

  it('a structured body is encoded as JSON also when its content-type does not say json', () => {
    const { text } = compileBody({ a: '{{ x }}' }, false).render(event('","admin":true,"z":"'));
    expect(JSON.parse(text)).toEqual({ a: '","admin":true,"z":"' });
  });

  it.each(['text', 'structure'])('a captured text is encoded once, literals and all, in a body that is a %s', (kind) => {
    const source = '{% capture y %}<{{ x }}>{% endcapture %}{{ y }}';
    const body = kind === 'text' ? `{"a":"${source}"}` : { a: source };
    expect(JSON.parse(compileBody(body, true).render(event('say "hi"\n')).text)).toEqual({ a: '<say "hi"\n>' });
    expect(JSON.parse(compileBody({ a: '{% capture y %}"{{ x }}"{% endcapture %}{{ y }}' }, true).render(event('b')).text)).toEqual({
      a: '"b"',
    });
  });

  it.each<readonly [source: string, target: TemplateTarget, text: string]>([
    ['?q={% capture y %}{{ x }}&b{% endcapture %}{{ y }}', 'url', '?q=a%22%20%C3%A9%26b'],
    ['{% capture y %}{{ x }}{% endcapture %}{{ y | upcase }}', 'url', 'A%22%20%C3%89'],
    ['{% capture y %}{% capture z %}{{ x }}{% endcapture %}{{ z }}{% endcapture %}{{ y }} {{ x }}', 'json', 'a\\" é a\\" é'],
    ['{% capture y %}{{ x }}{% endcapture %}{{ y }}', 'header', 'a" %C3%A9'],
  ])('a captured text is a value: %s in the target %s', (source, target, text) => {
    expect(compileTemplate(source, target).render(event('a" é')).text).toBe(text);
  });

  it.each(['café {{ x }}', 'café', '{% if true %}café{% endif %}'])(
    'the header %s holds printable ASCII also in its literals',
    (source) => {
      expect(compileTemplate(source, 'header').render(event('é')).text).toMatch(/^caf%C3%A9( %C3%A9)?$/);
    },
  );

  it('a header that can never be sent is refused when it is compiled', () => {
    expect(() => compileTemplate('a\nb', 'header')).toThrow(TemplateError);
  });
});
