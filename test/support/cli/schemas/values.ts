import { z } from 'zod';

// The fields that all shapes of JSON are made of.

export const text = z.string();
export const maybe = text.nullable();
export const count = z.int().min(0);
export const time = z.iso.datetime({ offset: true });
export const kind = z.enum(['insert', 'update', 'delete', 'custom', 'backfill']);
export const mode = z.enum(['live', 'shadow']);
