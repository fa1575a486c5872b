import { compileCondition } from '../../../src/matching/condition/condition';
import { explanationOf, orderEvent, orderUpdate } from './order-event';

describe('explain', () => {
  it('shows every part with its text, its value and its parts, and leaves literals out', () => {
    expect(explanationOf("total > 100 AND (status = 'paid' OR vip)", orderEvent('{"total":50,"status":"paid","vip":null}'))).toEqual({
      text: "total > 100 AND (status = 'paid' OR vip)",
      value: 'false',
      note: null,
      children: [
        { text: 'total > 100', value: 'false', note: null, children: [{ text: 'total', value: '50', note: null, children: [] }] },
        {
          text: "(status = 'paid' OR vip)",
          value: 'true',
          note: null,
          children: [
            {
              text: "status = 'paid'",
              value: 'true',
              note: null,
              children: [{ text: 'status', value: '"paid"', note: null, children: [] }],
            },
            { text: 'vip', value: 'null', note: 'vip is null', children: [] },
          ],
        },
      ],
    });
  });

  it('says which field is missing', () => {
    const explanation = explanationOf("customer.email = 'x'", orderEvent('{}'));
    expect(explanation.value).toBe('unknown');
    expect(explanation.children).toEqual([
      { text: 'customer.email', value: 'missing', note: 'customer.email is not in the event', children: [] },
    ]);
  });

  it('shows exact numbers, times and durations', () => {
    const event = orderEvent('{"n":12345678901234567890,"at":"2026-01-31T10:00:00Z"}');
    expect(explanationOf('n > 1', event).children[0]?.value).toBe('12345678901234567890');
    expect(explanationOf('NOW() > at', event).children[0]?.value).toBe('2026-01-31T12:00:00.000Z');
    expect(explanationOf("AGE(at) > '1h'", event).children[0]?.value).toBe('7200000 ms');
  });

  it('shows an error where it arises and at every part that it reaches', () => {
    const explanation = explanationOf('total > 5 OR CHANGED(status)', orderUpdate(null, '{"total":1}'));
    expect(explanation.value).toBe('error');
    expect(explanation.note).toBe('CHANGED(status) needs the before-image, and this update has none');
    expect(explanation.children.map(({ value }) => value)).toEqual(['false', 'error']);
  });

  it('says why a condition that is one field has no answer, as evaluate() does', () => {
    const explanation = explanationOf('total', orderEvent('{"total":5}'));
    expect(explanation.note).toBe('true or false is needed, here a number');
    expect(explanationOf('total', orderEvent('{}'))).toEqual({
      text: 'total',
      value: 'missing',
      note: 'total is not in the event',
      children: [],
    });
  });

  it('calls unknown what takes look-ups, which are not kept, and shows the rest', () => {
    const explanation = explanationOf('NOT HAS_FIELD(lookups.customer.vip) AND total > 5', orderEvent('{"total":1}'));
    expect(explanation.value).toBe('unknown');
    expect(explanation.children[0]).toMatchObject({ text: 'NOT HAS_FIELD(lookups.customer.vip)', value: 'unknown' });
    expect(explanation.children[0]?.children[0]).toMatchObject({ value: 'unknown', note: 'what is looked up is not at hand' });
    expect(explanation.children[1]).toMatchObject({ text: 'total > 5', value: 'false' });
    const found = orderEvent('{"total":1}', { lookups: { customer: { vip: true } } });
    expect(explanationOf('lookups.customer.vip', found)).toMatchObject({ value: 'true', note: null });
  });

  it.each([
    ['NOW() > at', true],
    ["total > 1 OR AGE(at) > '1h'", true],
    ['NOT (CHANGED_TO(at, NOW()))', true],
    ["total > 1 AND at = '2026-01-31'", false],
  ])('knows whether %s reads the clock', (condition, reads) => {
    expect(compileCondition(condition).usesClock).toBe(reads);
  });

  it.each(['CHANGED(statsu)', "field_changed('statsu')", "CHANGED_TO(data.statsu, 'b')"])('says which field %s misses', (condition) => {
    const explanation = explanationOf(condition, orderUpdate('{"status":"a"}', '{"status":"b"}'));
    expect(explanation.value).toBe('unknown');
    expect(JSON.stringify(explanation)).toContain('statsu is not in the event');
  });
});
