import Big from 'big.js';
import type { EntityEvent } from '../event/entity-event';
import { eventTypeName } from '../event/envelope';
import type { JsonDocument, JsonValue } from '../event/json-document';

/** What a path yields when nothing stands there: not null, which is a value. */
export const MISSING = Symbol('missing');
export type FoundValue = JsonValue | typeof MISSING;

/** What a path starts from. A first step that is none of these is a column of the row: `total` is `data.total`. */
export const PATH_ROOTS = ['data', 'before', 'event', 'entity', 'lookups'] as const;
export type PathRoot = (typeof PATH_ROOTS)[number];

const EVENT_FIELDS: Readonly<Record<string, (event: EntityEvent) => JsonValue>> = {
  id: (event) => event.id,
  kind: (event) => event.kind,
  type: eventTypeName,
  entity_type: (event) => event.entityType,
  entity_key: (event) => event.entityKey,
  tenant_id: (event) => event.tenant,
  timestamp: (event) => event.timestamp,
  sequence: (event) => event.changeNumber,
  changed: (event) => event.changed,
  collapsed: (event) => event.collapsed ?? null,
};

const ENTITY_FIELDS: Readonly<Record<string, (event: EntityEvent) => JsonValue>> = {
  type: (event) => event.entityType,
  key: (event) => event.entityKey,
};

/** A path that names nothing that exists, such as `event.colour`; its message names what exists. */
export class UnknownPathError extends Error {
  override readonly name = 'UnknownPathError';
}

/** A column of the row that a condition or a template names. */
export interface NamedColumn {
  readonly name: string;
  /** `change`: only whether it has changed is asked, which is known of a masked column too. */
  readonly use: 'value' | 'change';
  /** Where the path begins in the source; 1-based. */
  readonly line: number;
  readonly column: number;
}

/** The column that a path names, in the row or in the row as it was; null for paths that lie elsewhere. */
export function columnOf([first, second]: readonly unknown[]): string | null {
  const name = first === 'data' || first === 'before' ? second : (PATH_ROOTS as readonly unknown[]).includes(first) ? null : first;
  return typeof name === 'string' ? name : null;
}

export type PathReader = (event: EntityEvent) => FoundValue;

/**
 * Compiles `items[0].sku` (steps `items`, 0, `sku`) to a reader.
 *
 * @throws UnknownPathError for an unknown member of `event` or `entity`, and for `lookups` without a name
 */
export function compilePath(steps: readonly (string | number)[]): PathReader {
  const [first, ...rest] = steps;
  switch (first) {
    case 'data':
      return (event) => descend(documentValue(event.data), rest);
    case 'before':
      return (event) => descend(documentValue(event.before), rest);
    case 'event':
      return compileMember('event', EVENT_FIELDS, rest);
    case 'entity':
      return compileMember('entity', ENTITY_FIELDS, rest);
    case 'lookups': {
      const name = lookupOf(steps);
      if (name === null) throw new UnknownPathError('lookups needs a name, such as lookups.customer.plan');
      return ({ lookups }) => (lookups !== null && Object.hasOwn(lookups, name) ? descend(lookups[name] ?? null, rest.slice(1)) : MISSING);
    }
    default:
      return (event) => descend(documentValue(event.data), steps);
  }
}

/** The look-up that a path names; null for paths that lie elsewhere. */
export function lookupOf([root, name]: readonly (string | number)[]): string | null {
  return root === 'lookups' && typeof name === 'string' ? name : null;
}

/** The row's own field that a path names (for CHANGED), without the root; null for paths that lie elsewhere. */
export function rowSteps(steps: readonly (string | number)[]): readonly (string | number)[] | null {
  const [first, ...rest] = steps;
  if (first === 'data') return rest.length > 0 ? rest : null;
  return first === 'before' || first === 'event' || first === 'entity' || first === 'lookups' ? null : steps;
}

export function documentValue(document: JsonDocument | null): FoundValue {
  return document === null ? MISSING : document.value;
}

/** Follows own members only: `__proto__` and `constructor` are missing unless the row has such a column. */
export function descend(from: FoundValue, steps: readonly (string | number)[]): FoundValue {
  let value = from;
  for (const step of steps) {
    if (value === MISSING || value === null || typeof value !== 'object' || value instanceof Big || !Object.hasOwn(value, step))
      return MISSING;
    if (Array.isArray(value) && typeof step !== 'number') return MISSING;
    value = (value as Record<string | number, JsonValue>)[step] ?? null;
  }
  return value;
}

function compileMember(
  root: string,
  fields: Readonly<Record<string, (event: EntityEvent) => JsonValue>>,
  steps: readonly (string | number)[],
): PathReader {
  const [name, ...rest] = steps;
  const read = typeof name === 'string' && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (read === undefined) {
    throw new UnknownPathError(`${root} has no "${name ?? ''}"; it has ${Object.keys(fields).join(', ')}`);
  }
  return (event) => descend(read(event), rest);
}
