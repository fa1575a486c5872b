import Big from 'big.js';
import type { JsonValue } from '../../event/json-document';

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * What Elasticsearch's own partial update makes of a document: objects are merged member by member, and everything else, lists and null
 * included, takes the place of what was there. A loop: documents may be nested deeper than the stack.
 */
export function merge(into: JsonObject, change: JsonObject): JsonObject {
  const merged = copyOf(into);
  const open: [into: Record<string, JsonValue>, change: JsonObject][] = [[merged, change]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [members, changes] = next;
    for (const [name, value] of Object.entries(changes)) {
      const old = Object.hasOwn(members, name) ? members[name] : undefined;
      if (!isObject(old) || !isObject(value)) {
        setMember(members, name, value);
        continue;
      }
      const copy = copyOf(old);
      setMember(members, name, copy);
      open.push([copy, value]);
    }
  }
  return merged;
}

function copyOf(object: JsonObject): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(object));
}

/** An assignment to `__proto__` would not make a member. */
function setMember(members: Record<string, JsonValue>, name: string, value: JsonValue): void {
  Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Big);
}
