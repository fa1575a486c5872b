import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { mistakeIn } from './json-place';
import { ApiProblem } from './problem';

/** The largest body, in bytes: tokens of a few hundred are the largest thing that is ever sent. */
const LARGEST = 100 * 1024;
/** Our deepest body has two levels. */
const DEEPEST = 16;

/** Bodies are JSON, small and flat; everything else is refused before it is looked into. */
export function takeBodies(app: NestExpressApplication): void {
  app.use(requireJson);
  app.useBodyParser('json', { limit: LARGEST, inflate: false, strict: true, verify: keep });
  app.use(tellPlace);
  app.use(boundDepth);
}

const WRITTEN = Symbol('written');

/** The body as it was written: numbers in it have more digits than JavaScript's. */
export function writtenBody(request: Request): string {
  return (request as Request & { [WRITTEN]?: string })[WRITTEN] ?? '';
}

function keep(request: object, _response: unknown, body: Buffer): void {
  (request as { [WRITTEN]?: string })[WRITTEN] = body.toString('utf8');
}

// A form of a foreign page can be sent without asking; JSON cannot.
const requireJson: RequestHandler = (request, _response, next) => {
  const { method, headers } = request;
  if (method === 'GET' || method === 'HEAD') return next();
  if (headers['idempotency-key'] !== undefined)
    return next(
      new ApiProblem('refused', 'Idempotency-Key is not supported', {
        remedy: 'Leave it out: to repeat one of these requests is harmless, and the answer says that it was one.',
      }),
    );
  const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (empty || request.is('application/json') !== false) return next();
  next(new ApiProblem('unsupported-media-type', 'a body is sent as application/json'));
};

// Nest would make an error of its own of it, which knows the place no longer. Express tells it by the number of parameters.
function tellPlace(
  error: { readonly type?: string; readonly body?: unknown },
  _request: Request,
  _response: Response,
  next: NextFunction,
): void {
  next(error.type === 'entity.parse.failed' ? notJson(error.body) : error);
}

/** The place, and nothing of what was sent. */
function notJson(body: unknown): ApiProblem {
  const mistake = typeof body === 'string' ? mistakeIn(body) : null;
  if (mistake === null) return new ApiProblem('invalid-request', 'the body is not a JSON object');
  const { line, column, expected } = mistake;
  const place = `line ${line}, column ${column}`;
  return new ApiProblem('invalid-request', `the body is not JSON from ${place} on`, {
    violations: [{ at: 'body', message: `${place}: expected ${expected}` }],
  });
}

function boundDepth(request: Request, _response: Response, next: NextFunction): void {
  next(
    isDeeper(request.body, DEEPEST) ? new ApiProblem('invalid-request', `the body is nested more than ${DEEPEST} levels deep`) : undefined,
  );
}

/** Level by level, for a walk that calls itself would run out of stack. */
function isDeeper(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one as Record<string, unknown>) : []));
  }
  return false;
}
