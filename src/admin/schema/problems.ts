import { z } from 'zod';
import type { ProblemDocument } from '../http/problem';
import { named } from './registry';

export const PROBLEM: z.ZodType<ProblemDocument> = named(
  'Problem',
  z.strictObject({
    type: z.string().describe('urn:fraiseql-observers:problem: and the kind'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('this case, in one sentence'),
    remedy: z.string().optional().describe('what to do about it'),
    violations: z
      .array(z.strictObject({ at: z.string().describe('such as query.limit'), message: z.string() }))
      .optional()
      .describe('everything that is wrong with the request'),
    requestId: z.string().describe('the x-request-id of the answer, as in the log'),
  }),
  'RFC 9457',
);
