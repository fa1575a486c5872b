import type { z } from 'zod';
import { ApiProblem } from '../http/problem';

/** Where a page ends, as its reader carries it to the next one. */
export function cursorOf(place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** @throws Problem when it is none of ours */
export function placeOf<S extends z.ZodType>(cursor: string | undefined, schema: S): z.output<S> | null {
  if (cursor === undefined) return null;
  const place = schema.safeParse(parsed(cursor));
  if (place.success) return place.data;
  const violations = [{ at: 'query.cursor', message: 'it is not one that a page of this list gave' }];
  throw new ApiProblem('invalid-request', 'the query is not as the documentation (/docs) says', { violations });
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

/** A page of at most `limit`, of up to one more: the one more says that there is another page. */
export function page<T>(
  found: readonly T[],
  limit: number,
  placeOfItem: (item: T) => unknown,
): { items: readonly T[]; next: string | null } {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? cursorOf(placeOfItem(last)) : null };
}

/** A moment as PostgreSQL takes it: not every zone that RFC 3339 allows is one of its own. */
export function momentOf(text: string | undefined): string | null {
  return text === undefined ? null : new Date(text).toISOString();
}
