import { orderEvent, orderUpdate, verdictOn } from './order-event';

const PAID = orderUpdate(
  '{"status":"new","total":5,"n":null,"address":{"city":"Oslo","zip":"1"}}',
  '{"status":"paid","total":5.0,"n":null,"address":{"zip":"1","city":"Rome"}}',
);

describe('CHANGED on an update with a before-image', () => {
  it.each([
    ['CHANGED(status)', 'true'],
    ['changed(data.status)', 'true'],
    ["CHANGED('status')", 'true'],
    ["field_changed('status')", 'true'],
    ["field_changed('data.status')", 'true'],
    ['CHANGED(total)', 'false'],
    ['NOT CHANGED(total)', 'true'],
    ['CHANGED(n)', 'false'],
    ['CHANGED(address)', 'true'],
    ['CHANGED(address.city)', 'true'],
    ['CHANGED(address.zip)', 'false'],
    ["CHANGED_TO(status,'paid')", 'true'],
    ["CHANGED_TO(status,'new')", 'false'],
    ["field_changed_to('status','paid')", 'true'],
    ["status_changed_to('paid')", 'true'],
    ["STATUS_CHANGED_TO('new')", 'false'],
    ['CHANGED_TO(total, 5)', 'false'],
    ["CHANGED_FROM(status,'new')", 'true'],
    ["CHANGED_FROM(status,'paid')", 'false'],
    ["field_changed_from('status','new')", 'true'],
    ["CHANGED_FROM(status,'new') AND CHANGED_TO(status,'paid')", 'true'],
    ["CHANGED_TO(address.city,'Rome')", 'true'],
    ['CHANGED(nowhere)', 'unknown'],
    ["CHANGED_TO(nowhere,'x')", 'unknown'],
    ['CHANGED_TO(status, before.status)', 'false'],
    ['CHANGED_TO(status, 5)', 'error: text cannot be compared with a number'],
  ])('%s is %s', (condition, verdict) => {
    expect(verdictOn(condition, PAID)).toBe(verdict);
  });

  it('compares numbers by value, so that 5 and 5.00 are no change and 2^53 and 2^53 + 1 are one', () => {
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":5}', '{"a":5.00}'))).toBe('false');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":9007199254740992}', '{"a":9007199254740993}'))).toBe('true');
  });

  it('sees null become a value and a value become null', () => {
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":null}', '{"a":1}'))).toBe('true');
    expect(verdictOn('CHANGED(a) AND a IS NULL', orderUpdate('{"a":1}', '{"a":null}'))).toBe('true');
    expect(verdictOn('CHANGED_TO(a, 1)', orderUpdate('{"a":null}', '{"a":1}'))).toBe('true');
    expect(verdictOn('CHANGED_FROM(a, 1)', orderUpdate('{"a":1}', '{"a":null}'))).toBe('true');
    expect(verdictOn('CHANGED_FROM(a, 1)', orderUpdate('{"a":null}', '{"a":2}'))).toBe('false');
  });

  it('sees a field that was added and one that was removed', () => {
    expect(verdictOn('CHANGED(a)', orderUpdate('{}', '{"a":1}'))).toBe('true');
    expect(verdictOn('CHANGED_TO(a, 1)', orderUpdate('{}', '{"a":1}'))).toBe('true');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":1}', '{}'))).toBe('true');
    expect(verdictOn('CHANGED(a)', orderUpdate('{}', '{"a":null}'))).toBe('true');
  });

  it('sees a change of type, of order in a list, and none of member order in an object', () => {
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":1}', '{"a":"1"}'))).toBe('true');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":[1,2]}', '{"a":[2,1]}'))).toBe('true');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":{"x":1,"y":null}}', '{"a":{"y":null,"x":1}}'))).toBe('false');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":{"x":null}}', '{"a":{"y":null}}'))).toBe('true');
    expect(verdictOn('CHANGED(a)', orderUpdate('{"a":[]}', '{"a":{}}'))).toBe('true');
  });

  it('sees into lists', () => {
    const event = orderUpdate('{"items":[{"sku":"A"},{"sku":"B"}]}', '{"items":[{"sku":"A"},{"sku":"C"}]}');
    expect(verdictOn('CHANGED(items[1].sku) AND NOT CHANGED(items[0].sku)', event)).toBe('true');
    expect(verdictOn("CHANGED('items[1].sku')", event)).toBe('true');
  });

  it('sees a dropped (masked) column, which stands in neither image, by its name in changed', () => {
    const event = orderUpdate('{"status":"new"}', '{"status":"new"}', ['password']);
    expect(verdictOn('CHANGED(password)', event)).toBe('true');
    expect(verdictOn("CHANGED_TO(password,'x')", event)).toBe('unknown');
    expect(verdictOn("CHANGED_FROM(password,'x')", event)).toBe('unknown');
    expect(verdictOn('CHANGED(secret)', event)).toBe('unknown');
  });

  it.each(["CHANGED(data['e-mail'])", 'CHANGED(data["e-mail"])', "CHANGED('e-mail')"])(
    '%s sees a column whose name is no word',
    (condition) => {
      expect(verdictOn(condition, orderUpdate('{"e-mail":1}', '{"e-mail":2}'))).toBe('true');
    },
  );

  it.each(['CHANGED(address . city)', "CHANGED(address['city'])", 'CHANGED(\n  data.address.city)', 'CHANGED(data\n.address.city)'])(
    '%s sees the field, however the path is written',
    (condition) => {
      expect(verdictOn(condition, PAID)).toBe('true');
    },
  );

  it.each(['HAS_FIELD(address . city)', "HAS_FIELD(address['city'])", "HAS_FIELD(data['address'].city)", "HAS_FIELD(data[ 'address' ])"])(
    '%s finds the field, however the path is written',
    (condition) => {
      expect(verdictOn(condition, PAID)).toBe('true');
    },
  );
});

describe('CHANGED where nothing can have changed', () => {
  it.each(['insert', 'delete', 'custom'] as const)('is false on an event of kind %s', (kind) => {
    const event = orderEvent('{"status":"paid"}', { kind, before: kind === 'delete' ? '{"status":"paid"}' : null });
    for (const condition of [
      'CHANGED(status)',
      "CHANGED_TO(status,'paid')",
      "CHANGED_FROM(status,'new')",
      "status_changed_to('paid')",
      'CHANGED(nowhere)',
    ])
      expect(`${condition} ${verdictOn(condition, event)}`).toBe(`${condition} false`);
  });
});

describe('CHANGED on an update without a before-image', () => {
  const event = orderUpdate(null, '{"status":"paid"}', ['status']);

  it.each([
    'CHANGED(status)',
    "CHANGED_TO(status,'paid')",
    "CHANGED_FROM(status,'new')",
    "status_changed_to('paid')",
    'NOT CHANGED(total)',
  ])('%s is an error, never false', (condition) => {
    expect(verdictOn(condition, event)).toMatch(/^error: \w+\(\w+\) needs the before-image, and this update has none$/i);
  });

  it('does not matter when the answer does not need it', () => {
    expect(verdictOn("status = 'new' AND CHANGED(status)", event)).toBe('false');
    expect(verdictOn("status = 'paid' OR CHANGED(status)", event)).toBe('true');
  });
});
