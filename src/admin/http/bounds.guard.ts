import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { isBound } from '../../event/bounds';
import { OPERATIONS, type Operation } from '../api/operations';
import { boundsOf, isProbe } from './access';
import { ApiProblem } from './problem';

/**
 * What a bound token may ask at all: only routes that say how they keep to its bounds. A route that says nothing is about everybody, and so is one that
 * was added and forgotten.
 */
@Injectable()
export class BoundsGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const bounds = boundsOf(request);
    if (!isBound(bounds) || isProbe(request.path)) return true;
    const name = context.getHandler().name;
    const operation: Operation | undefined = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name as keyof typeof OPERATIONS] : undefined;
    const within = operation?.within ?? [];
    const strange = (['tenant', 'observer'] as const).find((kind) => bounds[`${kind}s`] !== null && !within.includes(kind));
    if (strange === undefined) return true;
    throw new ApiProblem('forbidden', `this is about all ${strange}s, and the token is bound to some`, {
      remedy: 'Ask with a token that is not bound, or for what is bound only (docs/rest.md).',
    });
  }
}
