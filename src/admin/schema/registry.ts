import { z } from 'zod';

/** Schemas that stand under their names in the documentation. */
export const SCHEMAS = z.registry<{ id: string; description?: string }>();

export function named<S extends z.ZodType>(id: string, schema: S, description?: string): S {
  SCHEMAS.add(schema, { id, ...(description === undefined ? {} : { description }) });
  return schema;
}

/** A time of an answer: RFC 3339. */
export const time = z.iso.datetime({ offset: true });

export const count = z.int().min(0);

/** A page of a list; `next` is the cursor of the one behind it. */
export function pageOf<S extends z.ZodType>(item: S): z.ZodObject<{ items: z.ZodArray<S>; next: z.ZodNullable<z.ZodString> }> {
  return z.strictObject({
    items: z.array(item),
    next: z.string().nullable().describe('what the next page is asked for with, as cursor; null at the end'),
  });
}
