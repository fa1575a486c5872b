import { orderEvent, orderUpdate, verdictOn } from './order-event';

type Case = readonly [condition: string, verdict: string, row?: string];

interface Section {
  readonly row: string;
  readonly cases: readonly Case[];
}

// What a condition says of its section's row, or of its own; an error by a part of its message.
// prettier-ignore
const SECTIONS: Readonly<Record<string, Section>> = {
  'and, or, not': {
    row: '{"t":true,"f":false,"n":null,"x":"text"}',
    cases: [
      ['t AND t', 'true'], ['t and f', 'false'], ['t AnD t', 'true'], ['t && t', 'true'], ['t && f', 'false'],
      ['f OR t', 'true'], ['f or f', 'false'], ['f || t', 'true'], ['NOT f', 'true'], ['not t', 'false'],
      ['!f', 'true'], ['! ! t', 'true'], ['!NOT t', 'true'],
      ['n AND f', 'false'], ['f AND n', 'false'], ['n AND t', 'unknown'], ['n OR t', 'true'], ['t OR n', 'true'],
      ['n OR f', 'unknown'], ['n AND n', 'unknown'], ['NOT n', 'unknown'], ['NOT nowhere', 'unknown'], ['nowhere', 'unknown'],
      ['NOT (n AND f)', 'true'], ['n OR NOT n', 'unknown'],
      ['x', 'error: true or false is needed, here text'], ['t AND x', 'error: true or false'], ['x AND f', 'error: true or false'],
      ['f AND x', 'false'], ['t OR x', 'true'], ['n AND x', 'error: true or false'],
      // OR binds loosest, then AND, then NOT, then the comparisons.
      ['t OR f AND f', 'true'], ['(t OR f) AND f', 'false'], ['NOT f AND f', 'false'], ['NOT (f AND f)', 'true'],
      ['NOT t OR t', 'true'], ['! t = f', 'true'], ['true', 'true'], ['FALSE or True', 'true'],
    ],
  },
  comparisons: {
    row: '{"total":50,"status":"paid","price":2.50,"active":true,"n":null,"tags":["a"],"address":{"city":"Oslo"},"low":"a","up":"B"}',
    cases: [
      ['total = 50', 'true'], ['total == 50', 'true'], ['total != 50', 'false'], ['total <> 51', 'true'],
      ['total < 50', 'false'], ['total <= 50', 'true'], ['total > 49.99', 'true'], ['total >= 50.0', 'true'],
      ['data.total = 50', 'true'], ['50 = total', 'true'], ['total = -50', 'false'], ['total = 5e1', 'true'],
      ["status = 'paid'", 'true'], ['status == "paid"', 'true'], ["status <> 'PAID'", 'true'], ["status < 'q'", 'true'],
      ["up < 'a'", 'true'], ['low = up', 'false'], ['price = 2.5', 'true'], ['price < total', 'true'],
      ['active = true', 'true'], ['active = FALSE', 'false'], ['active != false', 'true'],
      ['n = 1', 'unknown'], ['n != 1', 'unknown'], ['n = n', 'unknown'], ['nowhere = 1', 'unknown'],
      ['nowhere <> nowhere', 'unknown'], ['NOT n = 1', 'unknown'], ["n < 'x'", 'unknown'], ['customer.email = n', 'unknown'],
      ["total = '50'", 'error: a number cannot be compared with text'], ['status = 50', 'error: text cannot be compared with a number'],
      ["active = 'true'", 'error: true/false cannot be compared with text'], ['active > 0', 'error: true/false cannot be compared with a number'],
      ['tags > 1', 'error: a list cannot be compared with a number'], ["address = 'Oslo'", 'error: an object cannot be compared with text'],
      ['tags = tags', 'true'], ['address = data.address', 'true'], ['tags < tags', 'error: a list cannot be compared with a list'],
      ['total != status', 'error: a number cannot be compared with text'],
    ],
  },
  'exact numbers': {
    row: '{"int8":9007199254740993,"max":9223372036854775807,"long":12345678901234567890,"numeric":0.12345678901234567891,"nan":"NaN","infinite":"Infinity","huge":1e400,"vast":1e300000000,"zero":-0}',
    cases: [
      ['int8 = 9007199254740993', 'true'], ['int8 = 9007199254740992', 'false'], ['int8 > 9007199254740992', 'true'],
      ['max = 9223372036854775807', 'true'], ['max < 9223372036854775808', 'true'], ['max - 1 = 9223372036854775806', 'true'],
      ['long = 12345678901234567890', 'true'], ['long = 12345678901234567000', 'false'], ['long IN (12345678901234567889)', 'false'],
      ['long IN (12345678901234567890)', 'true'], ['numeric = 0.12345678901234567891', 'true'], ['numeric > 0.1234567890123456789', 'true'],
      ['0.1 + 0.2 = 0.3', 'true'], ['huge > 1e399', 'true'], ['huge = 1e400', 'true'], ['zero = 0', 'true'],
      ["nan = 'NaN'", 'true'], ['nan > 5', 'error: text cannot be compared with a number'], ['nan = nan', 'true'],
      ['vast > 1e131072', 'true'], ['vast = 1e300000000', 'true'], ['vast > 0 AND -5 < vast', 'true'],
      ['vast + 1 > 0', 'error: a number has more digits than PostgreSQL computes with'], ['1 - vast > 0', 'error: a number has more digits'],
      ['infinite > 5', 'error: text cannot be compared with a number'], ['long + nan > 5', 'error: + needs two numbers'],
    ],
  },
  arithmetic: {
    row: '{"a":7,"b":2,"n":null,"text":"x","flag":true}',
    cases: [
      ['a + b = 9', 'true'], ['a - b = 5', 'true'], ['a * b = 14', 'true'], ['a / b = 3.5', 'true'],
      ['a - b - 1 = 4', 'true'], ['a / b / 7 = 0.5', 'true'], ['a + b * 2 = 11', 'true'], ['(a + b) * 2 = 18', 'true'],
      ['-a + b = -5', 'true'], ['- - a = 7', 'true'], ['a * -b = -14', 'true'], ['a > b + 4 AND a < b * 4', 'true'],
      ['1 / 3 = 0.33333333333333333333', 'true'], ['2 / 3 = 0.66666666666666666667', 'true'], ['-2 / 3 = -0.66666666666666666667', 'true'],
      ['a / 0 = 1', 'error: division by zero'], ['a / n = 1', 'unknown'], ['n / 0 = 1', 'unknown'], ['nowhere + 1 > 0', 'unknown'],
      ['a + text > 0', 'error: + needs two numbers, here a number and text'], ['-flag = 1', 'error: - needs two numbers'],
    ],
  },
  'IN and NOT IN': {
    row: '{"status":"paid","total":5,"n":null}',
    cases: [
      ["status IN ('new','paid')", 'true'], ["status in ('new')", 'false'], ["status NOT IN ('new')", 'true'],
      ["status not in ('paid')", 'false'], ['total IN (1, 2 + 3)', 'true'], ['total IN (5.0)', 'true'],
      ["n IN ('a')", 'unknown'], ["n NOT IN ('a')", 'unknown'], ["nowhere NOT IN ('a')", 'unknown'],
      ['total IN (n, 5)', 'true'], ['total IN (n, 6)', 'unknown'], ['total NOT IN (n, 5)', 'false'], ['total NOT IN (n, 6)', 'unknown'],
      ["NOT status IN ('new')", 'true'], ["total IN ('5')", 'error: a number cannot be compared with text'],
      ["status IN ('paid', total)", 'true'], ['status IN (total, "paid")', 'error: text cannot be compared with a number'],
    ],
  },
  'null and presence': {
    row: '{"n":null,"a":0,"s":"","items":[{"sku":null}],"e-mail":"x"}',
    cases: [
      ['n IS NULL', 'true'], ['nowhere is null', 'true'], ['a IS NULL', 'false'], ["s IS NOT NULL", 'true'],
      ['n IS NOT NULL', 'false'], ['nowhere IS NOT NULL', 'false'], ['(n = 1) IS NULL', 'true'], ['a + n IS NULL', 'true'],
      ['HAS_FIELD(n)', 'true'], ['HAS_FIELD(nowhere)', 'false'], ["has_field('n')", 'true'], ["has_field('data.n')", 'true'],
      ['HAS_FIELD(items[0].sku)', 'true'], ['HAS_FIELD(items[1].sku)', 'false'], ["has_field('e-mail')", 'true'],
      ['NOT HAS_FIELD(before.a)', 'true'], ['HAS_FIELD(event.tenant_id)', 'true'], ["n = ''", 'unknown'], ["s = ''", 'true'],
    ],
  },
  paths: {
    row: '{"customer":{"email":"a@b.c","plan":{"name":"pro"}},"items":[{"sku":"A1"},{"sku":"B2"}],"order":1,"in":2,"null":3,"e-mail":"x","data":4,"event":5,"naïve":6,"名前":7,"_a$1":8,"NOT":9}',
    cases: [
      ["customer.email = 'a@b.c'", 'true'], ["data.customer.plan.name = 'pro'", 'true'], ["items[0].sku = 'A1'", 'true'],
      ["data.items[1].sku = 'B2'", 'true'], ['items[2].sku = 1', 'unknown'], ['customer.email.domain = 1', 'unknown'],
      ['data.order = 1', 'true'], ['order = 1', 'true'], ['data.in = 2', 'true'], ['data.null = 3', 'true'], ['data.NOT = 9', 'true'],
      ["data['e-mail'] = 'x'", 'true'], ["data . customer [ 'email' ] = 'a@b.c'", 'true'], ['data.data = 4', 'true'], ['data.event = 5', 'true'],
      ['naïve = 6', 'true'], ['名前 = 7', 'true'], ['_a$1 = 8', 'true'], ['Customer.email IS NULL', 'true'],
      ['__proto__ IS NULL', 'true'], ['constructor IS NULL', 'true'], ['customer.toString IS NULL', 'true'], ['HAS_FIELD(__proto__)', 'false'],
      ['__proto__ = 1', 'true', '{"__proto__":1}'], ['constructor = 1', 'true', '{"constructor":1,"long":12345678901234567890}'],
      ['__proto__.x = 1', 'true', '{"__proto__":{"x":1},"long":12345678901234567890}'], ['x IS NULL', 'true', '{"__proto__":{"x":1}}'],
      ["event.kind = 'insert'", 'true'], ["event.entity_type = 'Order'", 'true'], ["event.type = 'order.created'", 'true'],
      ["event.entity_key = '42'", 'true'], ['event.tenant_id IS NULL', 'true'], ['event.sequence = 1234', 'true'],
      ["entity.type = 'Order' AND entity.key = '42'", 'true'], ['event.changed IS NULL', 'true'], ['before.order IS NULL', 'true'],
      ["event.id LIKE '6f2b8c1e-%'", 'true'], ["event.timestamp > '2026-01-31'", 'true'],
    ],
  },
};

describe.each(Object.entries(SECTIONS))('%s', (_, { row, cases }) => {
  it.each(cases.map(([condition, verdict, own = row]) => [condition, own, verdict] as const))(
    '%s on %s is %s',
    (condition, data, verdict) => {
      const actual = verdictOn(condition, orderEvent(data));
      if (verdict.startsWith('error: ')) expect(actual).toContain(verdict);
      else expect(actual).toBe(verdict);
    },
  );
});

test('numbers as long as numeric may be are computed with in a moment', () => {
  const nines = '9'.repeat(131_072);
  const row = orderEvent(`{"a":${nines},"b":${nines.slice(0, -1)}8,"round":1e131071,"c":${'7'.repeat(3_000)}}`);
  for (const source of ['a - b = 1', 'a * a > a', 'a / a = 1', 'round / c > 0', 'a + 1 = round * 10', 'round - a < 0', '-(b - a) = 1'])
    expect([source, verdictOn(source, row)]).toEqual([source, 'true']);
  expect(verdictOn('a / (a - a) > 1', row)).toBe('error: division by zero');
});

describe('paths', () => {
  it('lead into the row before the change', () => {
    const event = orderUpdate('{"status":"new"}', '{"status":"paid"}', ['status']);
    expect(verdictOn("before.status = 'new' AND data.status = 'paid' AND status <> before.status", event)).toBe('true');
    expect(verdictOn("CONTAINS(event.changed, 'status') AND NOT CONTAINS(event.changed, 'total')", event)).toBe('true');
  });

  it('find nothing in an event without a row', () => {
    expect(verdictOn('total > 5', orderEvent(null))).toBe('unknown');
    expect(verdictOn('HAS_FIELD(data)', orderEvent(null))).toBe('false');
  });

  it('do not see the length of a list, which is no field of it', () => {
    expect(verdictOn('HAS_FIELD(items.length)', orderEvent('{"items":[1,2]}'))).toBe('false');
  });
});
