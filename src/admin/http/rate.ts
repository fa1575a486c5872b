import type { ThrottlerStorage } from '@nestjs/throttler';
import type { RequestHandler } from 'express';
import type { RateLimit } from '../../event/definitions';
import { isDocumentation, isProbe } from './access';
import { networkOf } from './loopback';
import { ApiProblem } from './problem';

/**
 * How many requests one address may make, to all routes together: also to what is no route of Nest's, such as the documentation. That is counted by
 * itself, for it is open to all, and whoever has a token may stand behind the same proxy.
 */
export function rateLimit({ count, per }: RateLimit, requests: ThrottlerStorage): RequestHandler {
  return (request, response, next) => {
    if (isProbe(request.path)) return next();
    const what = isDocumentation(request.path) ? 'documentation' : 'api';
    requests.increment(`${what} ${networkOf(request)}`, per, count, per, what).then(
      ({ totalHits, timeToExpire, isBlocked, timeToBlockExpire }) => {
        response.setHeader('x-ratelimit-limit', count);
        response.setHeader('x-ratelimit-remaining', Math.max(0, count - totalHits));
        response.setHeader('x-ratelimit-reset', timeToExpire);
        if (!isBlocked) return next();
        next(
          new ApiProblem('too-many-requests', 'more requests than OBSERVERS_API_RATE allows', {
            headers: { 'retry-after': String(Math.max(1, timeToBlockExpire)) },
          }),
        );
      },
      (error: unknown) => next(error),
    );
  };
}
