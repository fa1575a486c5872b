import { isDeepStrictEqual } from 'node:util';
import type { ThrottlerStorage } from '@nestjs/throttler';
import type { Request, RequestHandler, Response } from 'express';
import { UNBOUND, type Bounds } from '../../event/bounds';
import { isForeign, isLocal, networkOf } from './loopback';
import { ApiProblem } from './problem';
import { bearerOf, type Holder, type Tokens } from './tokens';

/** Wrong tokens of one address within a minute, after which they are not even answered with 401. */
const WRONG_TRIES = 10;
const MINUTE = 60_000;

const HOLDER = Symbol('holder');
const STILL = Symbol('still');

/** They take a body, and change nothing unless it says so: then they ask by themselves (`requireWrite`). */
const LOOKS = ['/test-event'];

/** Who asked, for the history: the token's name, or this machine. */
export function askedBy(request: Request): string {
  return (request as Asked)[HOLDER]?.name ?? 'api on this machine';
}

/** To what whoever asks is bound. */
export function boundsOf(request: Request): Bounds {
  return (request as Asked)[HOLDER]?.bounds ?? UNBOUND;
}

/** Whether whoever asked may still: of an answer that goes on, for a token may expire or be taken back meanwhile. */
export function isStillAllowed(request: Request): boolean {
  return (request as Asked)[STILL]?.() ?? true;
}

/** Of a request that may change something, and need not. */
export function mayWrite(request: Request): boolean {
  return (request as Asked)[HOLDER]?.scope === 'write';
}

/** @throws Problem unless the token may change something */
export function requireWrite(request: Request, what: string): void {
  if (!mayWrite(request)) throw needsWrite(what);
}

type Asked = Request & { [HOLDER]?: Holder; [STILL]?: () => boolean };

/**
 * Who may ask for what, of every path there is: what is forgotten here would be open. A method that changes nothing needs `read`, every
 * other `write`.
 */
export function accessControl(tokens: Tokens, tries: ThrottlerStorage): RequestHandler {
  return (request, response, next) => {
    if (isProbe(request.path)) return next();
    const answer = tokens.configured ? requireToken(request, tokens, tries) : requireLocal(request, tokens, tries);
    answer.then(() => next(), (error: unknown) => next(refused(error, response))); // prettier-ignore
  };
}

/**
 * Without tokens configured: this machine may look. To change something needs the token in the data folder all the same, for a proxy on this machine
 * that adds no header looks as this machine does.
 */
async function requireLocal(request: Request, tokens: Tokens, tries: ThrottlerStorage): Promise<void> {
  if (!isLocal(request))
    throw new ApiProblem('forbidden', 'without a token the API answers only requests that come from this machine, over loopback', {
      remedy: 'Give the service tokens (OBSERVERS_API_TOKENS or OBSERVERS_API_TOKENS_FILE) and send one: Authorization: Bearer TOKEN.',
    });
  if (isForeign(request)) throw foreign();
  const given = request.headersDistinct['authorization'] ?? [];
  if (given.length === 0 && isReading(request)) return;
  await requireKnown(request, tokens, tries);
}

async function requireToken(request: Request, tokens: Tokens, tries: ThrottlerStorage): Promise<void> {
  if (isDocumentation(request.path) && isReading(request)) return;
  await requireKnown(request, tokens, tries);
  // A browser would not send the token for a page of another origin; one that does was made to.
  if (isForeign(request)) throw foreign();
}

async function requireKnown(request: Request, tokens: Tokens, tries: ThrottlerStorage): Promise<void> {
  const headers = request.headersDistinct['authorization'] ?? [];
  const token = headers.length === 1 ? bearerOf(headers[0] ?? '') : null;
  const holder = token === null ? null : tokens.find(token);
  if (holder === 'expired')
    throw new ApiProblem('unauthenticated', 'this token has expired', {
      headers: { 'www-authenticate': 'Bearer error="invalid_token", error_description="expired"' },
    });
  if (holder === null) return refuse(request, tokens, { given: headers.length, token, tries });
  if (!isReading(request) && holder.scope !== 'write') throw needsWrite(request.method);
  (request as Asked)[HOLDER] = holder;
  (request as Asked)[STILL] = () => token !== null && isSame(tokens.find(token), holder);
}

function isSame(now: ReturnType<Tokens['find']>, then: Holder): boolean {
  return now !== null && now !== 'expired' && isDeepStrictEqual([now.scope, now.bounds], [then.scope, then.bounds]);
}

function needsWrite(what: string): ApiProblem {
  return new ApiProblem('forbidden', `${what} needs a token with the scope write; this one may only read`, {
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' },
  });
}

interface Try {
  /** Headers. */
  readonly given: number;
  readonly token: string | null;
  readonly tries: ThrottlerStorage;
}

// A right token passes however often somebody at the same address is wrong: behind a proxy all have one address, and a forgotten
// script with an old token would lock everybody out. Tokens of 16 characters and more are not guessed, at whatever rate.
async function refuse(request: Request, { localFile }: Tokens, { given, token, tries }: Try): Promise<never> {
  const { isBlocked, timeToBlockExpire } = await tries.increment(
    `wrong token ${networkOf(request)}`,
    MINUTE,
    WRONG_TRIES,
    MINUTE,
    'wrong tokens',
  );
  if (isBlocked)
    throw new ApiProblem('too-many-requests', 'too many requests without a token that is known', {
      headers: { 'retry-after': String(Math.max(1, timeToBlockExpire)) },
    });
  const detail =
    given === 0 ? 'this needs a token: Authorization: Bearer TOKEN' : token === null ? 'the header Authorization is not one Bearer token' : 'this token is not known'; // prettier-ignore
  const challenge = given === 0 ? 'Bearer' : 'Bearer error="invalid_token"';
  const remedy =
    localFile === null ? {} : { remedy: `The token of this machine is in ${localFile}: Authorization: Bearer $(cat ${localFile})` };
  throw new ApiProblem('unauthenticated', detail, { ...remedy, headers: { 'www-authenticate': challenge } });
}

function isReading({ method, path }: Request): boolean {
  return method === 'GET' || method === 'HEAD' || (method === 'POST' && LOOKS.includes(path));
}

function foreign(): ApiProblem {
  return new ApiProblem('forbidden', 'requests of pages of another origin are refused');
}

/** Nothing that follows is read: the body of somebody who may not ask is none of our business. */
function refused(error: unknown, response: Response): unknown {
  response.setHeader('connection', 'close');
  return error;
}

/** Probes and metrics: open to all, and their answers are their own. */
export function isProbe(path: string): boolean {
  return /^\/(health|metrics)(\/|$)/i.test(path);
}

/** The documentation holds nothing of this installation, and a browser could not send a token for it. */
export function isDocumentation(path: string): boolean {
  return /^\/docs(-json)?(\/|$)/i.test(path);
}
