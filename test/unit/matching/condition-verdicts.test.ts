import { orderEvent, orderUpdate, verdictOn } from './order-event';

// Condition, row, verdict; an error by a part of its message.
type Row = readonly [condition: string, data: string, verdict: string];

function check(rows: readonly Row[]): void {
  it.each(rows)('%s on %s is %s', (condition, data, verdict) => {
    const actual = verdictOn(condition, orderEvent(data));
    if (verdict.startsWith('error: ')) expect(actual).toContain(verdict);
    else expect(actual).toBe(verdict);
  });
}

describe('and, or, not', () => {
  const all = '{"t":true,"f":false,"n":null,"x":"text"}';
  check([
    ['t AND t', all, 'true'], ['t and f', all, 'false'], ['t AnD t', all, 'true'], ['t && t', all, 'true'], ['t && f', all, 'false'],
    ['f OR t', all, 'true'], ['f or f', all, 'false'], ['f || t', all, 'true'], ['NOT f', all, 'true'], ['not t', all, 'false'],
    ['!f', all, 'true'], ['! ! t', all, 'true'], ['!NOT t', all, 'true'],
    ['n AND f', all, 'false'], ['f AND n', all, 'false'], ['n AND t', all, 'unknown'], ['n OR t', all, 'true'], ['t OR n', all, 'true'],
    ['n OR f', all, 'unknown'], ['n AND n', all, 'unknown'], ['NOT n', all, 'unknown'], ['NOT nowhere', all, 'unknown'], ['nowhere', all, 'unknown'],
    ['NOT (n AND f)', all, 'true'], ['n OR NOT n', all, 'unknown'],
    ['x', all, 'error: true or false is needed, here text'], ['t AND x', all, 'error: true or false'], ['x AND f', all, 'error: true or false'],
    ['f AND x', all, 'false'], ['t OR x', all, 'true'], ['n AND x', all, 'error: true or false'],
    // OR binds loosest, then AND, then NOT, then the comparisons.
    ['t OR f AND f', all, 'true'], ['(t OR f) AND f', all, 'false'], ['NOT f AND f', all, 'false'], ['NOT (f AND f)', all, 'true'],
    ['NOT t OR t', all, 'true'], ['! t = f', all, 'true'], ['true', all, 'true'], ['FALSE or True', all, 'true'],
  ]); // prettier-ignore
});

describe('comparisons', () => {
  const row = '{"total":50,"status":"paid","price":2.50,"active":true,"n":null,"tags":["a"],"address":{"city":"Oslo"},"low":"a","up":"B"}';
  check([
    ['total = 50', row, 'true'], ['total == 50', row, 'true'], ['total != 50', row, 'false'], ['total <> 51', row, 'true'],
    ['total < 50', row, 'false'], ['total <= 50', row, 'true'], ['total > 49.99', row, 'true'], ['total >= 50.0', row, 'true'],
    ['data.total = 50', row, 'true'], ['50 = total', row, 'true'], ['total = -50', row, 'false'], ['total = 5e1', row, 'true'],
    ["status = 'paid'", row, 'true'], ['status == "paid"', row, 'true'], ["status <> 'PAID'", row, 'true'], ["status < 'q'", row, 'true'],
    ["up < 'a'", row, 'true'], ['low = up', row, 'false'], ['price = 2.5', row, 'true'], ['price < total', row, 'true'],
    ['active = true', row, 'true'], ['active = FALSE', row, 'false'], ['active != false', row, 'true'],
    ['n = 1', row, 'unknown'], ['n != 1', row, 'unknown'], ['n = n', row, 'unknown'], ['nowhere = 1', row, 'unknown'],
    ['nowhere <> nowhere', row, 'unknown'], ['NOT n = 1', row, 'unknown'], ["n < 'x'", row, 'unknown'], ['customer.email = n', row, 'unknown'],
    ["total = '50'", row, 'error: a number cannot be compared with text'], ['status = 50', row, 'error: text cannot be compared with a number'],
    ["active = 'true'", row, 'error: true/false cannot be compared with text'], ['active > 0', row, 'error: true/false cannot be compared with a number'],
    ['tags > 1', row, 'error: a list cannot be compared with a number'], ["address = 'Oslo'", row, 'error: an object cannot be compared with text'],
    ['tags = tags', row, 'true'], ['address = data.address', row, 'true'], ['tags < tags', row, 'error: a list cannot be compared with a list'],
    ['total != status', row, 'error: a number cannot be compared with text'],
  ]); // prettier-ignore
});

describe('exact numbers', () => {
  const row =
    '{"int8":9007199254740993,"max":9223372036854775807,"long":12345678901234567890,"numeric":0.12345678901234567891,"nan":"NaN","infinite":"Infinity","huge":1e400,"vast":1e300000000,"zero":-0}';
  check([
    ['int8 = 9007199254740993', row, 'true'], ['int8 = 9007199254740992', row, 'false'], ['int8 > 9007199254740992', row, 'true'],
    ['max = 9223372036854775807', row, 'true'], ['max < 9223372036854775808', row, 'true'], ['max - 1 = 9223372036854775806', row, 'true'],
    ['long = 12345678901234567890', row, 'true'], ['long = 12345678901234567000', row, 'false'], ['long IN (12345678901234567889)', row, 'false'],
    ['long IN (12345678901234567890)', row, 'true'], ['numeric = 0.12345678901234567891', row, 'true'], ['numeric > 0.1234567890123456789', row, 'true'],
    ['0.1 + 0.2 = 0.3', row, 'true'], ['huge > 1e399', row, 'true'], ['huge = 1e400', row, 'true'], ['zero = 0', row, 'true'],
    ["nan = 'NaN'", row, 'true'], ['nan > 5', row, 'error: text cannot be compared with a number'], ['nan = nan', row, 'true'],
    ['vast > 1e131072', row, 'true'], ['vast = 1e300000000', row, 'true'], ['vast > 0 AND -5 < vast', row, 'true'],
    ['vast + 1 > 0', row, 'error: a number has more digits than PostgreSQL computes with'], ['1 - vast > 0', row, 'error: a number has more digits'],
    ['infinite > 5', row, 'error: text cannot be compared with a number'], ['long + nan > 5', row, 'error: + needs two numbers'],
  ]); // prettier-ignore
});

describe('arithmetic', () => {
  const row = '{"a":7,"b":2,"n":null,"text":"x","flag":true}';
  check([
    ['a + b = 9', row, 'true'], ['a - b = 5', row, 'true'], ['a * b = 14', row, 'true'], ['a / b = 3.5', row, 'true'],
    ['a - b - 1 = 4', row, 'true'], ['a / b / 7 = 0.5', row, 'true'], ['a + b * 2 = 11', row, 'true'], ['(a + b) * 2 = 18', row, 'true'],
    ['-a + b = -5', row, 'true'], ['- - a = 7', row, 'true'], ['a * -b = -14', row, 'true'], ['a > b + 4 AND a < b * 4', row, 'true'],
    ['1 / 3 = 0.33333333333333333333', row, 'true'], ['2 / 3 = 0.66666666666666666667', row, 'true'], ['-2 / 3 = -0.66666666666666666667', row, 'true'],
    ['a / 0 = 1', row, 'error: division by zero'], ['a / n = 1', row, 'unknown'], ['n / 0 = 1', row, 'unknown'], ['nowhere + 1 > 0', row, 'unknown'],
    ['a + text > 0', row, 'error: + needs two numbers, here a number and text'], ['-flag = 1', row, 'error: - needs two numbers'],
  ]); // prettier-ignore
});

describe('IN and NOT IN', () => {
  const row = '{"status":"paid","total":5,"n":null}';
  check([
    ["status IN ('new','paid')", row, 'true'], ["status in ('new')", row, 'false'], ["status NOT IN ('new')", row, 'true'],
    ["status not in ('paid')", row, 'false'], ['total IN (1, 2 + 3)', row, 'true'], ['total IN (5.0)', row, 'true'],
    ["n IN ('a')", row, 'unknown'], ["n NOT IN ('a')", row, 'unknown'], ["nowhere NOT IN ('a')", row, 'unknown'],
    ['total IN (n, 5)', row, 'true'], ['total IN (n, 6)', row, 'unknown'], ['total NOT IN (n, 5)', row, 'false'], ['total NOT IN (n, 6)', row, 'unknown'],
    ["NOT status IN ('new')", row, 'true'], ["total IN ('5')", row, 'error: a number cannot be compared with text'],
    ["status IN ('paid', total)", row, 'true'], ['status IN (total, "paid")', row, 'error: text cannot be compared with a number'],
  ]); // prettier-ignore
});

describe('null and presence', () => {
  const row = '{"n":null,"a":0,"s":"","items":[{"sku":null}],"e-mail":"x"}';
  check([
    ['n IS NULL', row, 'true'], ['nowhere is null', row, 'true'], ['a IS NULL', row, 'false'], ["s IS NOT NULL", row, 'true'],
    ['n IS NOT NULL', row, 'false'], ['nowhere IS NOT NULL', row, 'false'], ['(n = 1) IS NULL', row, 'true'], ['a + n IS NULL', row, 'true'],
    ['HAS_FIELD(n)', row, 'true'], ['HAS_FIELD(nowhere)', row, 'false'], ["has_field('n')", row, 'true'], ["has_field('data.n')", row, 'true'],
    ['HAS_FIELD(items[0].sku)', row, 'true'], ['HAS_FIELD(items[1].sku)', row, 'false'], ["has_field('e-mail')", row, 'true'],
    ['NOT HAS_FIELD(before.a)', row, 'true'], ['HAS_FIELD(event.tenant_id)', row, 'true'], ["n = ''", row, 'unknown'], ["s = ''", row, 'true'],
  ]); // prettier-ignore
});

describe('paths', () => {
  const row =
    '{"customer":{"email":"a@b.c","plan":{"name":"pro"}},"items":[{"sku":"A1"},{"sku":"B2"}],"order":1,"in":2,"null":3,"e-mail":"x","data":4,"event":5,"naïve":6,"名前":7,"_a$1":8,"NOT":9}';
  check([
    ["customer.email = 'a@b.c'", row, 'true'], ["data.customer.plan.name = 'pro'", row, 'true'], ["items[0].sku = 'A1'", row, 'true'],
    ["data.items[1].sku = 'B2'", row, 'true'], ['items[2].sku = 1', row, 'unknown'], ['customer.email.domain = 1', row, 'unknown'],
    ['data.order = 1', row, 'true'], ['order = 1', row, 'true'], ['data.in = 2', row, 'true'], ['data.null = 3', row, 'true'], ['data.NOT = 9', row, 'true'],
    ["data['e-mail'] = 'x'", row, 'true'], ["data . customer [ 'email' ] = 'a@b.c'", row, 'true'], ['data.data = 4', row, 'true'], ['data.event = 5', row, 'true'],
    ['naïve = 6', row, 'true'], ['名前 = 7', row, 'true'], ['_a$1 = 8', row, 'true'], ['Customer.email IS NULL', row, 'true'],
    ['__proto__ IS NULL', row, 'true'], ['constructor IS NULL', row, 'true'], ['customer.toString IS NULL', row, 'true'], ['HAS_FIELD(__proto__)', row, 'false'],
    ['__proto__ = 1', '{"__proto__":1}', 'true'], ['constructor = 1', '{"constructor":1,"long":12345678901234567890}', 'true'],
    ['__proto__.x = 1', '{"__proto__":{"x":1},"long":12345678901234567890}', 'true'], ['x IS NULL', '{"__proto__":{"x":1}}', 'true'],
    ["event.kind = 'insert'", row, 'true'], ["event.entity_type = 'Order'", row, 'true'], ["event.type = 'order.created'", row, 'true'],
    ["event.entity_key = '42'", row, 'true'], ['event.tenant_id IS NULL', row, 'true'], ['event.sequence = 1234', row, 'true'],
    ["entity.type = 'Order' AND entity.key = '42'", row, 'true'], ['event.changed IS NULL', row, 'true'], ['before.order IS NULL', row, 'true'],
    ["event.id LIKE '6f2b8c1e-%'", row, 'true'], ["event.timestamp > '2026-01-31'", row, 'true'],
  ]); // prettier-ignore

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
