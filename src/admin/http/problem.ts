import { z } from 'zod';
import { named } from '../schema/registry';
import { HttpException } from '@nestjs/common';

/** One thing that is wrong with a request. */
export interface Violation {
  /** `query.limit`, `body.observers[0]`, `path.id`. */
  readonly at: string;
  readonly message: string;
}

/** RFC 9457, with what more there is to say. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** This case, in one sentence. */
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
  readonly violations?: readonly Violation[] | undefined;
  /** The `x-request-id` of the answer, as in the log. */
  readonly requestId: string;
}

/** Every kind of problem that the API answers with. */
export const PROBLEMS = {
  'invalid-request': [400, 'The request is not valid'],
  'invalid-token': [400, 'The token does not stand for a set'],
  unauthenticated: [401, 'A token is required'],
  forbidden: [403, 'Not allowed'],
  'invalid-configuration': [422, 'The observers file is not valid'],
  'not-found': [404, 'There is no such thing'],
  'method-not-allowed': [405, 'Not this method'],
  'too-slow': [408, 'The request came too slowly'],
  conflict: [409, 'Not possible at the moment'],
  'not-leading': [409, 'Another instance leads'],
  'too-large': [413, 'The request is too large'],
  'unsupported-media-type': [415, 'The body is not JSON'],
  'too-many-requests': [429, 'Too many requests'],
  refused: [400, 'The request is refused'],
  internal: [500, 'An unexpected error'],
  unavailable: [503, 'A server that this needs does not answer'],
  'leader-unreachable': [503, 'The instance that leads cannot be reached'],
  stopping: [503, 'The service stops'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemKind = keyof typeof PROBLEMS;

export interface ProblemExtras {
  readonly remedy?: string;
  readonly violations?: readonly Violation[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is a problem. */
export class ApiProblem extends HttpException {
  constructor(
    readonly kind: ProblemKind,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
  ) {
    super(detail, PROBLEMS[kind][0]);
  }
}

export function problemDocument(kind: ProblemKind, detail: string, requestId: string, extras: ProblemExtras = {}): ProblemDocument {
  const [status, title] = PROBLEMS[kind];
  const { remedy, violations } = extras;
  return {
    type: `urn:fraiseql-observers:problem:${kind}`,
    title,
    status,
    detail,
    ...(remedy === undefined || remedy === '' ? {} : { remedy }),
    ...(violations === undefined ? {} : { violations }),
    requestId,
  };
}

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
