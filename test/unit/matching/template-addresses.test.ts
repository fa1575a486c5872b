import * as fc from 'fast-check';
import {
  compileTemplate,
  TemplateError,
  TemplateRenderError,
  checkAddresses,
  compileAddresses,
} from '../../../src/matching/template/template';
import type { Mailbox } from '../../../src/matching/template/address';
import { orderEvent } from './order-event';

function mailboxes(source: string, row: object): readonly Mailbox[] {
  return compileAddresses(source).render(orderEvent(JSON.stringify(row))).mailboxes;
}

const ANN = 'ann@example.org';

describe('what the data says is a part, and never the form', () => {
  it.each<readonly [what: string, source: string, row: object, expected: readonly (readonly [string, string])[]]>([
    ['an address', '{{ email }}', { email: ANN }, [['', ANN]]],
    ['an address with blanks around it', '{{ email }}', { email: ` ${ANN}\t` }, [['', ANN]]],
    ['a name that looks like an address', '{{ name }} <{{ email }}>', { name: 'Eve <evil@e.example>', email: ANN }, [['Eve <evil@e.example>', ANN]]],
    ['a name with a comma', '{{ name }} <{{ email }}>', { name: 'evil@e.example, Eve', email: ANN }, [['evil@e.example, Eve', ANN]]],
    ['a name with a group', '{{ name }} <{{ email }}>', { name: 'all: evil@e.example;', email: ANN }, [['all: evil@e.example;', ANN]]],
    ['a name with quotes and backslashes', '"{{ name }}" <{{ email }}>', { name: 'Ann "A" \\ Lee\\', email: ANN }, [['Ann "A" \\ Lee\\', ANN]]],
    ['a name that ends the quotes', '"{{ name }}" <{{ email }}>', { name: '" <evil@e.example>, "', email: ANN }, [['" <evil@e.example>, "', ANN]]],
    ['a name with a comment', '{{ name }} <{{ email }}>', { name: 'Ann (evil@e.example)', email: ANN }, [['Ann (evil@e.example)', ANN]]],
    ['an empty name', '{{ name }} <{{ email }}>', { name: '', email: ANN }, [['', ANN]]],
    ['a name within a name', 'Dr. "{{ name }}, PhD" of Århus <{{ email }}>', { name: 'Ann', email: ANN }, [['Dr. Ann, PhD of Århus', ANN]]],
    ['a part of the local part', 'support+{{ name }}@shop.example', { name: 'ann.lee' }, [['', 'support+ann.lee@shop.example']]],
    ['a part of the domain', 'ann@{{ tenant }}.shop.example', { tenant: 'acme' }, [['', 'ann@acme.shop.example']]],
    ['a domain in another script', 'ann@{{ tenant }}', { tenant: 'Bücher.example' }, [['', 'ann@xn--bcher-kva.example']]],
    ['an address in other scripts', '{{ email }}', { email: '用户@例子.example' }, [['', '用户@xn--fsqu00a.example']]],
    ['what a filter makes', "{{ email | default: 'shop@example.com' }}", {}, [['', 'shop@example.com']]],
    ['what is captured', '{% capture who %}{{ name }}{% endcapture %}{{ who }} <{{ email }}>', { name: 'x <y@z.example>', email: ANN }, [['x <y@z.example>', ANN]]],
    ['a list by a loop', '{% for one in all %}{{ one.name }} <{{ one.email }}>, {% endfor %}', { all: [{ name: 'A, B', email: ANN }, { name: 'C', email: 'c@example.org' }] }, [['A, B', ANN], ['C', 'c@example.org']]],
    ['a choice that is not taken', '{% if cc %}{{ cc }}{% endif %}', {}, []],
    ['an address in brackets of the file', 'root@[10.0.0.1]', {}, [['', 'root@[10.0.0.1]']]],
    ['a list of the file', 'The shop <shop@example.com>,\n  "Lee, Ann" <ann@example.org>', {}, [['The shop', 'shop@example.com'], ['Lee, Ann', ANN]]],
  ])('%s', (_what, source, row, expected) => {
    expect(mailboxes(source, row).map(({ name, address }) => [name, address])).toEqual(expected);
  }); // prettier-ignore

  it.each<readonly [what: string, source: string, row: object]>([
    ['two addresses', '{{ email }}', { email: `${ANN}, all@example.org` }],
    ['two addresses in brackets', '<{{ email }}>', { email: `${ANN}>, <all@example.org` }],
    ['a semicolon', '{{ email }}', { email: `${ANN};all@example.org` }],
    ['a group', '{{ email }}', { email: 'friends: a@example.org;' }],
    ['a name and an address', '{{ email }}', { email: `Eve <${ANN}>` }],
    ['a comment', '{{ email }}', { email: 'ann(x)@example.org' }],
    ['a line break', '{{ email }}', { email: `${ANN}\r\nBcc: all@example.org` }],
    ['a line separator', '{{ email }}', { email: `${ANN}\u2028all@example.org` }],
    ['a blank of another kind', '{{ email }}', { email: 'ann\u00a0@example.org' }],
    ['two @', '{{ email }}', { email: 'ann@evil.example@example.org' }],
    ['a quoted local part', '{{ email }}', { email: '"ann@evil.example"@example.org' }],
    ['a quoted local part after a filter', "{{ user | append: '@example.org' }}", { user: '"x@evil.example"' }],
    ['an address after a filter', "{{ user | append: '@example.org' }}", { user: 'x@evil.example' }],
    ['an @ that looks like one', '{{ email }}', { email: 'ann＠evil.example@example.org' }],
    ['an address of a machine', '{{ email }}', { email: 'ann@[10.0.0.1]' }],
    ['a number as domain', '{{ email }}', { email: 'ann@0x7f.1' }],
    ['an encoded word that is another address', '{{ email }}', { email: '=?utf-8?q?evil=40e.example=3E=20?=x@example.org' }],
    ['the beginning of one', '{{ a }}?x@example.org', { a: '=' }],
    ['one in a part of the local part', 'support+{{ name }}@shop.example', { name: '=?utf-8?q?evil=40e.example?=' }],
    [
      'one that a mail program reads within the quotes of a name',
      '{{ name }} <{{ email }}>',
      { name: '=?UTF-8?Q?Eve_=3Cevil=40e.example=3E?=', email: ANN },
    ],
    ['one in base64 in a name', '"{{ name }}" <{{ email }}>', { name: 'Ann =?iso-8859-1*en?b?RXZl?= Lee', email: ANN }],
    ['nothing', '{{ email }}', { email: '' }],
    ['null', '{{ name }} <{{ email }}>', { name: 'Ann', email: null }],
    ['a list', '{{ email }}', { email: [ANN, 'all@example.org'] }],
    ['nothing between commas', '{{ a }}, {{ b }}', { a: ANN, b: '' }],
    ['a source route', '<{{ email }}>', { email: '@evil.example:ann@example.org' }],
    ['another domain in a local part', 'support+{{ name }}@shop.example', { name: 'x@evil.example' }],
    ['a percent route in a local part', 'support+{{ name }}@shop.example', { name: 'x%evil.example' }],
    ['a bang path in a local part', '{{ name }}@shop.example', { name: 'evil.example!x' }],
    ['a percent that looks like none', 'support+{{ name }}@shop.example', { name: 'x％evil.example' }],
    ['the end of the address in a local part', 'support+{{ name }}@shop.example', { name: 'x@evil.example>, <y' }],
    ['an empty part of a local part', 'support+{{ name }}@shop.example', { name: '' }],
    ['dots that end a local part', 'support.{{ name }}@shop.example', { name: '.' }],
    ['a local part of more than 64 bytes', '{{ name }}@shop.example', { name: 'x'.repeat(65) }],
    ['an @ in a domain', 'ann@{{ tenant }}.shop.example', { tenant: 'evil.example>, <x@evil' }],
    ['a port in a domain', 'ann@{{ tenant }}', { tenant: 'evil.example:25' }],
    ['an empty domain', 'ann@{{ tenant }}', { tenant: '' }],
    ['a line break in a name', '{{ name }} <{{ email }}>', { name: 'Ann\r\nBcc: all@example.org', email: ANN }],
    ['a paragraph separator in a name', '"{{ name }}" <{{ email }}>', { name: 'Ann\u2029', email: ANN }],
    ['a NUL in a name', '{{ name }} <{{ email }}>', { name: 'Ann\0', email: ANN }],
    ['101 of a list', '{% for one in all %}{{ one }},{% endfor %}', { all: Array.from({ length: 101 }, (_, i) => `a${i}@example.org`) }],
  ])('%s is refused, and not repeated', (_what, source, row) => {
    const refused = (): unknown => mailboxes(source, row);
    expect(refused).toThrow(TemplateRenderError);
    expect(refused).not.toThrow(/evil|example\.org,|all@/);
  });

  it('U+E000 in a template could pass for a mark, and in data cannot', () => {
    expect(() => compileAddresses('\u{E000}evil%40e.example\u{E001}')).toThrow(TemplateError);
    expect(() => mailboxes('{{ email }}', { email: `\u{E001}, evil@e.example\u{E000}` })).toThrow(TemplateRenderError);
    expect(mailboxes('{{ name }} <ann@example.org>', { name: '\u{E001}<evil@e.example>\u{E000}' })).toMatchObject([{ address: ANN }]);
  });

  it('a text without values is checked when the file is', () => {
    expect(() => checkAddresses('The shop <shop@example.com')).toThrow(TemplateError);
    expect(() => checkAddresses('friends: a@example.org;')).toThrow(/groups are not possible|no domain|@ in the template|not possible/);
    expect(() => checkAddresses('The shop <shop@example.com>')).not.toThrow();
  });

  it('a custom action gets the header', () => {
    const template = compileTemplate('{{ name }} <{{ email }}>', 'address');
    expect(template.render(orderEvent(JSON.stringify({ name: 'Lee, "Ann"', email: ANN }))).text).toBe('"Lee, \\"Ann\\"" <ann@example.org>');
    expect(template.columns.map(({ name }) => name)).toEqual(['name', 'email']);
  });
});

const HOSTILE = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...'@<>,;:"\\()[]%!. \r\n\u2028\u{E000}\u{E001}＠{}a'), maxLength: 20 }),
  fc.constantFrom(
    'evil@e.example',
    'Eve <evil@e.example>',
    '"x" <evil@e.example>,',
    '>, <evil@e.example',
    '%{{ x }}',
    '" <evil@e.example>, "',
  ),
);

test('whatever the data, the mailboxes are those that the file means, or none', () => {
  const whole = 'Shop <shop@fixed.example>, "{{ name }}" <a@fixed.example>, {{ name }} <{{ local }}@fixed.example>, x+{{ local }}@{{ domain }}.fixed.example';
  fc.assert(
    fc.property(HOSTILE, HOSTILE, HOSTILE, (name, local, domain) => {
      let found: readonly Mailbox[];
      try {
        found = mailboxes(whole, { name, local, domain });
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateRenderError);
        return;
      }
      expect(found).toHaveLength(4);
      for (const { address } of found) {
        expect(address).toMatch(/^[^@\s<>,;:"\\()[\]]+@([a-z\d_-]+\.)*fixed\.example$/);
        expect(address.split('@')[0]).not.toMatch(/[%!]/);
      }
      expect(found[1]!.name).toBe(name.toWellFormed().trim());
    }),
    { numRuns: 3_000 },
  );
}); // prettier-ignore
