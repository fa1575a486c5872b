import { readEvent, SAMPLE } from '../../../src/dry-run/sample';
import { OperatorError } from '../../../src/event/errors';
import { envelopeText } from '../../../src/event/envelope';
import { orderUpdate } from '../matching/order-event';

test('the sample is an event, with what changed between its images', () => {
  const event = readEvent(JSON.stringify(SAMPLE), 'e.json');
  expect(event).toMatchObject({ entityType: 'Order', entityKey: '42', kind: 'update', changed: ['status'], tenant: null });
});

test('the envelope of a webhook is the event that it was made of, with every digit', () => {
  const { traceparent, ...event } = orderUpdate('{"id":1,"n":12345678901234567890.10}', '{"id":1,"n":0.30}', ['n']);
  const read = readEvent(envelopeText({ ...event, traceparent }), 'e.json');
  expect(read).toMatchObject({ ...event, data: { text: '{"id":1,"n":0.30}' }, before: { text: '{"id":1,"n":12345678901234567890.10}' } });
  expect(envelopeText(read)).toContain('12345678901234567890.1');
});

test('a deletion holds the row as it was, and the key is that of the row', () => {
  const event = readEvent('{"entity":"Order","kind":"delete","data":null,"before":{"id":12345678901234567890}}', 'e.json');
  expect(event).toMatchObject({ entityKey: '12345678901234567890', data: { text: '{"id":12345678901234567890}' }, changed: null });
});

test.each([
  ['{', /^e\.json is not JSON/],
  ['[]', /^e\.json holds no event/],
  ['{"entity":"Order","kind":"upsert","data":{}}', /kind: /],
  ['{"entity":"Order","kind":"insert","data":{},"befor":{}}', /befor/],
  ['{"entity":"Order","kind":"insert"}', /data: /],
  ['{"entity":{"type":"Order","key":"1"},"type":"order.made","data":{},"version":1}', /type: expected a type such as order\.updated/],
])('%s is no event, and it is said why', (text, message) => {
  expect(() => readEvent(text, 'e.json')).toThrow(OperatorError);
  expect(() => readEvent(text, 'e.json')).toThrow(message);
});
