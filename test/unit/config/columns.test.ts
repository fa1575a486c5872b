import { checkColumns } from '../../../src/config/column-check';
import { describeObservers } from '../../../src/config/describe';
import { ConfigFile } from './config-file';
import { containing, matching } from '../../support/texts';

const file = new ConfigFile();
afterAll(() => file.remove());

const ORDERS = ['id', 'status', 'total', 'email', 'card', 'secret', 'customer', 'e-mail'];
const TABLES = new Map<string, readonly string[] | null>([
  ['public.orders', ORDERS],
  ['public.invoices', ['id', 'amount']],
  ['public.gone', null],
]);
const CAPTURE = `version: 1
capture:
  - { table: public.orders, entity: Order, columns: { exclude: [secret], mask: { email: hash, card: drop } } }
`;
const INVOICES = '  - { table: public.invoices, entity: Invoice }\n';
const HOOK = 'type: webhook, url: "https://x.example"';

/** `line:column path: message`, warnings first. */
function told(text: string, env: Readonly<Record<string, string>> = {}): { errors: string[]; warnings: string[] } {
  const { columns, definition } = file.load(text, env).file;
  const { errors, warnings } = checkColumns(columns, definition.captures, TABLES);
  const lines = (problems: typeof errors): string[] =>
    problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  return { errors: lines(errors), warnings: lines(warnings) };
}
const warnings = (observers: string, more = ''): string[] => told(`${CAPTURE}${more}observers:\n${observers}`).warnings;
/** Of one condition: what stands where the place points to, and the message. */
const ofCondition = (when: string): string[] =>
  warnings(`  - { name: a, entity: Order, when: "${when}", actions: [{ type: log }] }\n`).map((line) =>
    line.replace(
      /^\d+:(\d+) \S+ /,
      (_all, column: string) => `${when.slice(Number(column) - 1 - '  - { name: a, entity: Order, when: "'.length)} | `,
    ),
  );

describe('columns that a condition names', () => {
  test.each([
    ["statsu = 'paid'", ['statsu = \'paid\' | Order has no column "statsu"; did you mean "status"?']],
    ['total > 1 AND data.toatl > 5', ['data.toatl > 5 | Order has no column "toatl"; did you mean "total"?']],
    ['before.toatl > 5', ['before.toatl > 5 | Order has no column "toatl"; did you mean "total"?']],
    ['-toatl > 5', ['toatl > 5 | Order has no column "toatl"; did you mean "total"?']],
    ['(toatl + 1) * 2 IN (1, 2)', ['toatl + 1) * 2 IN (1, 2) | Order has no column "toatl"; did you mean "total"?']],
    ['1 = 1 OR toatl IS NULL', ['toatl IS NULL | Order has no column "toatl"; did you mean "total"?']],
    [
      "CHANGED(statsu) OR field_changed('statsu')",
      [
        'statsu) OR field_changed(\'statsu\') | Order has no column "statsu"; did you mean "status"?',
        '\'statsu\') | Order has no column "statsu"; did you mean "status"?',
      ],
    ],
    ['CHANGED_TO(status, toatl)', ['toatl) | Order has no column "toatl"; did you mean "total"?']],
    ['HAS_FIELD(data.statsu)', ['data.statsu) | Order has no column "statsu"; did you mean "status"?']],
    ["AGE(wholly_unknown) > '1h'", ['wholly_unknown) > \'1h\' | Order has no column "wholly_unknown"']],
    ["Status = 'paid'", ['Status = \'paid\' | Order has no column "Status"; did you mean "status"?']],
    // Below a column there may be anything.
    ["customer.anything.at[0].all = 1 AND data['e-mail'] = 'x' AND event.kind = 'update' AND entity.key = '1'", []],
    ["status_changed_to('paid') AND total > 5 AND email = 'x' AND CHANGED(card)", []],
    ['secret = 1', ['secret = 1 | "secret" is not in the change log: the capture of public.orders excludes it']],
    [
      'card = 1',
      [
        'card = 1 | "card" is not in the change log: the capture of public.orders masks it (drop), and only whether it has changed is known',
      ],
    ],
    ['CHANGED(secret)', ['secret) | "secret" is not in the change log: the capture of public.orders excludes it']],
    [
      "CHANGED_TO(card, '1')",
      [
        'card, \'1\') | "card" is not in the change log: the capture of public.orders masks it (drop), and only whether it has changed is known',
      ],
    ],
  ])('%s', (when, expected) => expect(ofCondition(when)).toEqual(expected));

  test('status_changed_to asks for a column that the table may not have', () => {
    const text = `version: 1\ncapture: [{ table: public.invoices, entity: Invoice }]\nobservers:\n  - { name: a, entity: Invoice, when: "status_changed_to('x')", actions: [{ type: log }] }`;
    expect(told(text).warnings).toEqual(['4:40 observers[0].when: Invoice has no column "status"']);
  });
});

test('whatever holds a template is looked at: actions, endpoints and look-ups that are used, dedup keys', () => {
  const text = `version: 1
settings: { smtp_url: "smtp://mail.example:25", mail_from: shop@example.org, redis_url: "redis://r.example" }
capture: [{ table: public.orders, entity: Order }]
endpoints:
  used: { url: "https://x.example/{{ a1 }}", headers: { x-h: "{{ data.a2 }}" } }
  unused: { url: "https://x.example/{{ nobody_asks }}" }
lookups:
  customer: { url: "https://x.example/{{ a3 }}" }
  idle: { url: "https://x.example/{{ nobody_asks }}" }
observers:
  - name: a
    entity: Order
    columns: [a4, status]
    lookups: [customer]
    dedup: { key: "{{ a5 }}", window: 1h }
    actions:
      - { type: webhook, endpoint: used, headers: { x-i: "{{ a6 }}" }, body: { "{{ a7 }}": ["{{ a8 }}", { b: "{{ lookups.customer.x }} {{ a9 }}" }] } }
      - { type: webhook, name: text, endpoint: used, body: '{"a": "{{ b1 }}"}' }
      - { type: email, to: ["{{ b2 }}"], subject: "{{ b3 }}", html: "<p>{{ b4 }}" }
      - { type: cache, delete: "k:{{ b5 }}", set: { key: "{{ b6 }}", value: { x: "{{ b7 }}" } } }
      - { type: log, message: "{% for i in b8 %}{{ i.x }}{% endfor %}" }
      - { type: slack, url: "https://x.example/hook", text: "{{ b9 }}", blocks: [{ type: section, text: "{{ c1 }}" }] }
`;
  const names = told(text).warnings.map((line) => /"(\w+)"/.exec(line)?.[1]);
  expect([...names].sort()).toEqual([
    'a1',
    'a2',
    'a3',
    'a4',
    'a5',
    'a6',
    'a7',
    'a8',
    'a9',
    'b1',
    'b2',
    'b3',
    'b4',
    'b5',
    'b6',
    'b7',
    'b8',
    'b9',
    'c1',
  ]);
});

test('masks, keys and tables of capture are compared too', () => {
  const text = `version: 1
capture:
  - { table: public.orders, key: [idd], tenant: tenant, columns: { exclude: [secert], mask: { emial: hash } } }
  - { table: public.invoices, columns: { include: [id, amuont] } }
  - { table: public.gone, key: [whatever] }
`;
  expect(told(text).warnings).toEqual([
    '3:35 capture[0].key[0]: public.orders has no column "idd"; did you mean "id"?',
    '3:49 capture[0].tenant: public.orders has no column "tenant"',
    '3:78 capture[0].columns.exclude[0]: public.orders has no column "secert"; did you mean "secret"?',
    '3:95 capture[0].columns.mask.emial: public.orders has no column "emial"; did you mean "email"?',
    '4:56 capture[1].columns.include[1]: public.invoices has no column "amuont"; did you mean "amount"?',
    '5:14 capture[2].table: there is no table public.gone in the database',
  ]);
});

describe('whose columns count', () => {
  const observer = (entity: string, when: string): string =>
    `  - { name: a, entity: ${entity}, when: "${when}", actions: [{ type: log }] }\n`;

  test('several entities may have a column between them; all entities are all that are captured', () => {
    expect(warnings(observer('[Order, Invoice]', 'amount > 1 AND total > 1'), INVOICES)).toEqual([]);
    expect(warnings(observer('[Order, Invoice]', 'amuont > 1'), INVOICES)).toEqual([
      containing('none of Order, Invoice has a column "amuont"; did you mean "amount"?'),
    ]);
    expect(warnings(observer('"*"', 'amount > 1 AND total > 1'), INVOICES)).toEqual([]);
    expect(warnings(observer('"*"', 'amuont > 1'), INVOICES)).toEqual([
      containing('no captured table has a column "amuont"; did you mean "amount"?'),
    ]);
  });

  test('of what this file does not capture nothing is said', () => {
    expect(warnings(observer('Shipment', 'anything > 1'))).toEqual([]);
    expect(warnings(observer('[Order, Shipment]', 'anything > 1'))).toEqual([]);
    expect(told(`version: 1\nobservers:\n${observer('"*"', 'anything > 1')}`).warnings).toEqual([]);
    expect(warnings(observer('Gone', 'anything > 1'), '  - { table: public.gone, entity: Gone }\n')).toEqual([
      containing('there is no table public.gone'),
    ]);
  });

  test('two tables of one entity, of which one hides the column', () => {
    const more = '  - { table: public.invoices, entity: Order }\n';
    expect(warnings(observer('Order', 'amount > 1 AND total > 1'), more)).toEqual([]);
    expect(warnings(observer('Order', 'secret = 1'), more)).toHaveLength(1);
  });

  test('an endpoint is looked at for each observer that sends to it', () => {
    const endpoints = 'endpoints: { x: { url: "https://x.example/{{ total }}" } }\n';
    const two = ['Order', 'Invoice']
      .map((entity) => `  - { name: ${entity}, entity: ${entity}, actions: [{ type: webhook, endpoint: x }] }\n`)
      .join('');
    expect(warnings(two, `${INVOICES}${endpoints}`)).toEqual(['5:46 endpoints.x.url: Invoice has no column "total"']);
  });
});

test('strict_templates makes an error of what a template names, for the observer or for all, and of nothing else', () => {
  const observer = (name: string, more = ''): string =>
    `  - { name: ${name}, entity: Order, ${more}when: "statsu = 1", actions: [{ ${HOOK}, body: "{{ toatl }}" }] }\n`;
  const own = told(`${CAPTURE}observers:\n${observer('a', 'strict_templates: true, ')}${observer('b')}`);
  expect(own.errors).toEqual([matching(/^5:\d+ observers\[0\]\.actions\[0\]\.body: Order has no column "toatl"/)]);
  expect(own.warnings).toHaveLength(3);
  const all = told(`${CAPTURE}strict_templates: true\nobservers:\n${observer('a')}${observer('b', 'strict_templates: false, ')}`);
  expect(all.errors).toEqual([matching(/^6:\d+ observers\[0\]/)]);
  const { observers } = file.load(
    `${CAPTURE}strict_templates: true\nobservers:\n${observer('a')}${observer('b', 'strict_templates: false, ')}`,
  ).file.definition;
  expect(observers.map(({ strictTemplates }) => strictTemplates)).toEqual([true, false]);
});

test('a name that came out of a reference is not shown', () => {
  const observer =
    '  - { name: a, entity: Order, when: "${COND}", columns: ["${COLUMN}"], actions: [{ type: log, message: "{{ ${PART} }} {{ toatl }}" }] }\n';
  const { warnings: lines } = told(`${CAPTURE}observers:\n${observer}`, {
    COND: "canary = 'CANARY'",
    COLUMN: 'canary_column',
    PART: 'canary',
  });
  expect(lines).toHaveLength(4);
  expect(lines.join('\n')).not.toMatch(/canary/i);
  expect(lines.join('\n')).toContain('with ${COND} filled in');
  expect(lines.join('\n')).toContain('Order has no column "toatl"');
});

describe('the file', () => {
  const observer = (more: string): string => `version: 1\nobservers:\n  - { name: a, entity: Order, ${more}, actions: [{ type: log }] }\n`;
  const described = (more: string): string => describeObservers(file.load(observer(more)).file.definition)[0]?.on ?? '';

  test('columns and ignore_unchanged are read, and described', () => {
    expect(described('on: [insert, update]')).toBe('insert, update');
    expect(described('on: update, columns: [status, total]')).toBe('update of status or total');
    expect(described('on: update, ignore_unchanged: false')).toBe('update (also one that changes nothing)');
    expect(file.load(observer('on: update')).file.definition.observers[0]).toMatchObject({ columns: null, ignoreUnchanged: true });
  });

  test.each([
    ['columns: []', 'observers[0].columns: expected at least 1 entries'],
    ['columns: status', 'observers[0].columns: expected a list'],
    ['columns: [status, status]', 'observers[0].columns[1]: there is another column "status"'],
    ['columns: ["", a]', 'observers[0].columns[0]: expected the name of a column'],
    ['ignore_unchanged: sometimes', 'observers[0].ignore_unchanged: expected true or false'],
    ['strict_templates: 1', 'observers[0].strict_templates: expected true or false'],
    ['colums: [a]', 'observers[0].colums: unknown key "colums"; did you mean "columns"?'],
  ])('%s is refused', (more, message) => {
    expect(file.told(observer(more))).toEqual([containing(message)]);
  });

  test('columns of an observer that is for no update say nothing, which is told', () => {
    expect(file.load(observer('on: insert, columns: [a]')).file.warnings.map(({ message }) => message)).toContain(
      'columns narrows updates, and this observer is not for updates',
    );
  });
});
