import type { PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { ApiProblem, type Violation } from './problem';

/** Takes a part of a request by its schema, the one that is documented. */
export class Take<S extends z.ZodType> implements PipeTransform<unknown, z.output<S>> {
  constructor(
    private readonly schema: S,
    private readonly part: 'path' | 'query' | 'body',
  ) {}

  /** @throws Problem with everything that is wrong */
  transform(value: unknown): z.output<S> {
    // No body at all is one without members.
    const result = this.schema.safeParse(value ?? {});
    if (result.success) return result.data;
    const violations = result.error.issues.slice(0, MOST).flatMap((issue) => violationsOf(this.part, issue));
    throw new ApiProblem('invalid-request', `the ${this.part} is not as the documentation (/docs) says`, { violations });
  }
}

/** Violations that one answer lists at most. */
const MOST = 50;

function violationsOf(part: string, issue: z.core.$ZodIssue): Violation[] {
  const at = issue.path.reduce<string>(
    (place, step) => (typeof step === 'number' ? `${place}[${step}]` : `${place}.${String(step)}`),
    part,
  );
  // The alternative with the fewest violations is what was meant.
  if (issue.code === 'invalid_union') {
    const [nearest] = [...issue.errors].sort((a, b) => a.length - b.length);
    if (nearest !== undefined) return nearest.flatMap((inner) => violationsOf(at, inner));
  }
  if (issue.code !== 'unrecognized_keys') return [{ at, message: issue.message }];
  // Names come from outside: only as much of them as a person needs.
  return issue.keys.slice(0, MOST).map((key) => ({ at: `${at}.${key.slice(0, 60)}`, message: 'there is no such member' }));
}
