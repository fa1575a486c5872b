import Big from 'big.js';
import type { JsonValue } from '../../event/json-document';

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * What Elasticsearch's own partial update makes of a document: objects are merged member by member, and everything else, lists and null
 * included, takes the place of what was there.
 */
export function merge(into: JsonObject, change: JsonObject): JsonObject {
  // Entries, for an assignment to `__proto__` would not make a member.
  const members = new Map(Object.entries(into));
  for (const [name, value] of Object.entries(change)) {
    const old = members.get(name);
    members.set(name, isObject(old) && isObject(value) ? merge(old, value) : value);
  }
  return Object.fromEntries(members);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Big);
}
