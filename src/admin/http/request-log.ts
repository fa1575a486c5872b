import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import type { Clock } from '../../event/clock';

/** What may come from outside and go into a log. */
const SANE_ID = /^[\w.:/+=-]{1,128}$/;
const HEADER = 'x-request-id';

/** A request's id is on the answer and in the log; who calls may give one. One line a request, at debug level, and nothing of it that may be secret. */
export function requestLog(logger: Logger, clock: Clock): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const given = request.get(HEADER) ?? '';
    const id = SANE_ID.test(given) ? given : randomUUID();
    response.setHeader(HEADER, id);
    if (logger.isLevelEnabled('debug')) {
      const begun = clock.monotonic();
      response.once('close', () => {
        logger.debug(
          {
            request_id: id,
            method: request.method,
            // The pattern, not the path: a path that nobody knows may hold anything.
            route: routeOf(request),
            status: response.statusCode,
            duration_ms: Math.round((clock.monotonic() - begun) * 10) / 10,
          },
          'request',
        );
      });
    }
    next();
  };
}

export function requestIdOf(response: Response): string {
  const id = response.getHeader(HEADER);
  return typeof id === 'string' ? id : '';
}

function routeOf(request: Request): string | null {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : null;
}
