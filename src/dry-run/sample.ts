import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { EntityEvent, EventKind } from '../event/entity-event';
import { EVENT_KINDS } from '../event/entity-event';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { JsonDocument, parseSpelledJson, stringifyExactJson, type JsonValue } from '../event/json-document';

/** One to begin with. */
export const SAMPLE = {
  entity: 'Order',
  kind: 'update',
  key: '42',
  data: { id: 42, status: 'shipped', total: 150.5 },
  before: { id: 42, status: 'new', total: 150.5 },
};

const row = z.record(z.string(), z.unknown()).nullable();
const common = { id: z.uuid().optional(), tenant: z.string().nullable().optional(), timestamp: z.iso.datetime({ offset: true }).optional(), changed: z.array(z.string()).nullable().optional() }; // prettier-ignore
const sample = z.strictObject({
  ...common,
  entity: z.string().min(1),
  kind: z.enum(EVENT_KINDS as readonly [EventKind, ...EventKind[]]),
  key: z.union([z.string(), z.number()]).optional(),
  data: row,
  before: row.optional(),
  cause: z.string().nullable().optional(),
});
const envelope = z.strictObject({
  ...common,
  type: z.string().regex(/\.(created|updated|deleted|custom|backfilled)$/, 'expected a type such as order.updated'),
  data: row,
  before: row.optional(),
  entity: z.strictObject({ type: z.string().min(1), key: z.string() }),
  sequence: z.number().int().optional(),
  version: z.literal(1),
});

const KINDS = { created: 'insert', updated: 'update', deleted: 'delete', custom: 'custom', backfilled: 'backfill' } as const;

/**
 * An event out of a file: the envelope of a webhook, or `{ entity, kind, data, before }`. Numbers keep all their digits.
 *
 * @throws OperatorError that says what is wrong with it
 */
export function readEvent(text: string, file: string): EntityEvent {
  let content: JsonValue;
  try {
    content = parseSpelledJson(text);
  } catch (error) {
    throw refusal(`${file} is not JSON: ${messageOf(error)}`);
  }
  const isEnvelope = typeof (content as { entity?: unknown } | null)?.entity === 'object';
  const result = isEnvelope ? envelope.safeParse(content) : sample.safeParse(content);
  if (!result.success) {
    const what = result.error.issues.map(({ path, message }) => `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`);
    throw refusal(`${file} holds no event: ${what.join('; ')}`);
  }
  return 'kind' in result.data ? ofSample(result.data) : ofEnvelope(result.data);
}

function refusal(message: string): OperatorError {
  return new OperatorError(
    message,
    'It is the envelope of a webhook, or what this prints: fraiseql-observers test-event --sample',
    ExitCode.validation,
  );
}

function ofEnvelope({ entity, type, sequence, ...rest }: z.infer<typeof envelope>): EntityEvent {
  const kind = KINDS[type.split('.').at(-1) as keyof typeof KINDS];
  return eventOf({ ...rest, entity: entity.type, key: entity.key, kind, changeNumber: sequence ?? 1 });
}

function ofSample({ key, ...rest }: z.infer<typeof sample>): EntityEvent {
  const id = (rest.data ?? rest.before)?.['id'];
  return eventOf({ ...rest, key: String(key ?? (typeof id === 'string' ? id : textOf(id ?? 1))), changeNumber: 1 });
}

type Parts = Omit<z.infer<typeof sample>, 'key'> & { readonly key: string; readonly changeNumber: number };

function eventOf({ id, entity, key, kind, data, before = null, changed, tenant, timestamp, cause, changeNumber }: Parts): EntityEvent {
  // As the decoder has it: for a deletion the row as it was.
  const after = data ?? (kind === 'delete' ? before : null);
  return {
    changeNumber,
    id: id ?? randomUUID(),
    kind,
    entityType: entity,
    entityKey: key,
    tenant: tenant ?? null,
    data: documentOf(after),
    before: documentOf(before),
    changed: changed ?? (kind === 'update' ? changedBetween(before, after) : null),
    timestamp: timestamp ?? new Date().toISOString(),
    traceparent: null,
    tracestate: null,
    cause: cause ?? null,
    lookups: null,
    // A file does not say for whom.
    backfill: kind === 'backfill' ? { id: 'sample', observers: [] } : null,
  };
}

function textOf(value: unknown): string {
  return stringifyExactJson((value ?? null) as JsonValue);
}

type Row = Readonly<Record<string, unknown>> | null;

function documentOf(value: Row): JsonDocument | null {
  return value === null ? null : new JsonDocument(stringifyExactJson(value as JsonValue));
}

/** As capture would have recorded it; null without a row before. */
function changedBetween(before: Row, after: Row): string[] | null {
  if (before === null || after === null) return null;
  return Object.keys(after).filter((column) => textOf(before[column]) !== textOf(after[column]));
}
