import * as fc from 'fast-check';
import { envelopeText } from '../../../src/event/envelope';
import { JsonDocument, parseExactJson, stringifyExactJson } from '../../../src/event/json-document';
import { anyModel, anyText, canonical, modelOf, readJson, spellJson } from './reference-json';
import { dice } from './unparser';

const document = fc.tuple(anyModel, fc.integer()).map(([model, seed]) => spellJson(model, dice(seed)));

describe('reading JSON exactly', () => {
  it('yields every text, every digit and every member that the document holds, however it is spelt', () => {
    fc.assert(
      fc.property(document, (text) => {
        expect(canonical(modelOf(parseExactJson(text)))).toEqual(canonical(readJson(text)));
      }),
      { numRuns: 3_000 },
    );
  });

  it('yields what JSON.parse yields when all numbers are small integers', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value, (_key, member: unknown) => (typeof member === 'number' ? Math.trunc(member % 1_000) : member));
        expect(parseExactJson(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('throws a SyntaxError for whatever JSON.parse refuses, also when it holds long numbers', () => {
    const damaged = fc
      .tuple(document, fc.nat(), fc.nat(2), fc.constantFrom('', '"', ',', '}', '12345678901234567890', '\\', '.', 'e', '-', '0'))
      .map(([text, at, cut, piece]) => text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + cut));
    fc.assert(
      fc.property(damaged, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (valid) parseExactJson(text);
        else expect(() => parseExactJson(text)).toThrow(SyntaxError);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('writing JSON exactly', () => {
  it('gives back the value that was read', () => {
    fc.assert(
      fc.property(document, (text) => {
        const value = parseExactJson(text);
        expect(canonical(readJson(stringifyExactJson(value)))).toEqual(canonical(modelOf(value)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives back the number that was read, with the digits of int8 and numeric', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 50n), max: 10n ** 50n }), fc.nat(30), (digits, scale) => {
        const sign = digits < 0n ? '-' : '';
        const plain = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
        const text = scale === 0 ? sign + plain : `${sign}${plain.slice(0, -scale)}.${plain.slice(-scale)}`;
        expect(canonical(readJson(stringifyExactJson(parseExactJson(`{"n":${text}}`))))).toEqual(canonical(readJson(`{"n":${text}}`)));
      }),
    );
  });
});

describe('the envelope', () => {
  const entityEvent = fc
    .record({
      changeNumber: fc.nat(Number.MAX_SAFE_INTEGER),
      id: fc.uuid(),
      kind: fc.constantFrom('insert', 'update', 'delete', 'custom', 'backfill'),
      backfill: fc.constant(null),
      entityType: anyText,
      entityKey: anyText,
      tenant: fc.option(anyText),
      data: fc.option(document),
      before: fc.option(document),
      changed: fc.option(fc.array(anyText, { maxLength: 4 })),
      traceparent: fc.constant(null),
      tracestate: fc.constant(null),
      cause: fc.constant(null),
      lookups: fc.constant(null),
      timestamp: fc.constant('2026-01-31T10:00:00.123456Z'),
    })
    .map(({ data, before, ...rest }) => ({
      event: {
        ...rest,
        data: data === null ? null : new JsonDocument(data),
        before: before === null ? null : new JsonDocument(before),
      },
      data,
      before,
    }));

  it('is JSON and holds exactly the event', () => {
    fc.assert(
      fc.property(entityEvent, ({ event, data, before }) => {
        const past = { insert: 'created', update: 'updated', delete: 'deleted', custom: 'custom', backfill: 'backfilled' }[event.kind];
        const rest = {
          changed: event.changed ?? [],
          entity: { type: event.entityType, key: event.entityKey },
          tenant: event.tenant,
          sequence: event.changeNumber,
          version: 1,
        };
        const expected = `{"id":"${event.id}","type":${JSON.stringify(`${event.entityType.toLowerCase()}.${past}`)},"timestamp":"${event.timestamp}","data":${data ?? 'null'},"before":${before ?? 'null'},${JSON.stringify(rest).slice(1)}`;
        const text = envelopeText(event);
        expect(canonical(readJson(text))).toEqual(canonical(readJson(expected)));
        expect(Object.keys(JSON.parse(text) as object)).toEqual([
          'id',
          'type',
          'timestamp',
          'data',
          'before',
          'changed',
          'entity',
          'tenant',
          'sequence',
          'version',
        ]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('copies the row as PostgreSQL wrote it, byte for byte', () => {
    fc.assert(
      fc.property(entityEvent, ({ event, data, before }) => {
        const text = envelopeText(event);
        expect(text).toContain(`"data":${data ?? 'null'},"before":${before ?? 'null'},"changed":`);
      }),
    );
  });
});
