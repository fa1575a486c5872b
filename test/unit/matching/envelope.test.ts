import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020';
import { envelopeText, eventTypeName } from '../../../src/event/envelope';
import { orderEvent, orderUpdate } from './order-event';

const schema = JSON.parse(readFileSync('docs/envelope.schema.json', 'utf8')) as object;
const valid = new Ajv2020({ formats: { uuid: /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/ } }).compile(schema);

describe('the envelope', () => {
  it.each([
    ['an insert', orderEvent('{"a":1}')],
    ['an update', orderUpdate('{"a":1}', '{"a":2}', ['a'])],
    ['a deletion', orderEvent('{"a":1}', { kind: 'delete' })],
    ['a change without a row', orderEvent(null, { kind: 'custom', entityKey: '' })],
  ])('of %s is what docs/envelope.schema.json says', (_what, event) => {
    valid(JSON.parse(envelopeText(event)));
    expect(valid.errors).toBeNull();
    expect(valid({ ...(JSON.parse(envelopeText(event)) as object), more: 1 })).toBe(false);
  });

  it('of an update holds both images, the names of the changed columns, and the tenant', () => {
    const event = { ...orderUpdate('{"a":1}', '{"a":2}', ['a']), tenant: '9c5b94b1-35ad-49bb-b118-8e8fc24abf80' };
    expect(JSON.parse(envelopeText(event))).toEqual({
      id: '6f2b8c1e-4a57-4f0e-9d3b-2a1c5e7f9b10',
      type: 'order.updated',
      timestamp: '2026-01-31T10:00:00.123456Z',
      data: { a: 2 },
      before: { a: 1 },
      changed: ['a'],
      entity: { type: 'Order', key: '42' },
      tenant: '9c5b94b1-35ad-49bb-b118-8e8fc24abf80',
      sequence: 1234,
      version: 1,
    });
  });

  it('of an insert has null for before and tenant, and no changed columns', () => {
    expect(JSON.parse(envelopeText(orderEvent('{"a":1}')))).toMatchObject({
      type: 'order.created',
      before: null,
      tenant: null,
      changed: [],
    });
  });

  it('of a change without a row has null for data', () => {
    expect(JSON.parse(envelopeText(orderEvent(null, { kind: 'custom', entityKey: '' })))).toMatchObject({
      type: 'order.custom',
      data: null,
      entity: { key: '' },
    });
  });

  it('keeps the digits of int8 and numeric', () => {
    expect(envelopeText(orderEvent('{"n":12345678901234567890,"m":1.50}'))).toContain('"data":{"n":12345678901234567890,"m":1.50}');
  });

  it.each([
    ['insert', 'order.created'],
    ['update', 'order.updated'],
    ['delete', 'order.deleted'],
    ['custom', 'order.custom'],
  ] as const)('calls %s %s', (kind, name) => {
    expect(eventTypeName(orderEvent(null, { kind }))).toBe(name);
  });

  it('is JSON when names hold quotes and line breaks', () => {
    const event = orderEvent('{}', { entityType: 'a"b\n', entityKey: '["x","\\"}"]', changed: ['"', '\\'], tenant: '"' });
    expect(JSON.parse(envelopeText(event))).toMatchObject({
      type: 'a"b\n.created',
      entity: { type: 'a"b\n', key: '["x","\\"}"]' },
      changed: ['"', '\\'],
      tenant: '"',
    });
  });
});
