import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ThrottlerStorage } from '@nestjs/throttler';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Clock } from '../../event/clock';
import type { RateLimit } from '../../event/definitions';
import { openApiDocument } from '../api/document';
import { takeBodies } from './body';
import { accessControl, isProbe } from './access';
import { problemDocument } from './problem';
import { ProblemFilter } from './problem.filter';
import { requestLog } from './request-log';
import type { Tokens } from './tokens';
import { boundConnections } from './connections';
import { rateLimit } from './rate';

export interface HttpParts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly tokens: Tokens;
  readonly rate: RateLimit;
}

/** What every request passes, in this order: its id, security headers, whether it may, how many there are, its body. To be called before the application listens. */
export function prepareHttp(app: NestExpressApplication, { logger, clock, tokens, rate }: HttpParts): void {
  app.disable('x-powered-by');
  app.useGlobalFilters(new ProblemFilter(app.getHttpAdapter(), logger));
  app.use(requestLog(logger, clock));
  const security = helmet({ contentSecurityPolicy: { directives: CONTENT }, strictTransportSecurity: false });
  app.use(security);
  // Conditional requests are welcome, copies in between are not.
  app.use((...[request, response, next]: Parameters<ReturnType<typeof requestLog>>) => {
    if (!isProbe(request.path)) response.setHeader('cache-control', 'private, no-cache');
    next();
  });
  const counts = app.get<ThrottlerStorage>(ThrottlerStorage);
  app.use(accessControl(tokens, counts));
  app.use(rateLimit(rate, counts));
  takeBodies(app);
  serveDocumentation(app);
  const server = app.getHttpServer();
  boundConnections(server);
  server.on('clientError', refuseNoise);
}

/** What is not HTTP, or too large a head, never becomes a request: the answer is written by hand. */
function refuseNoise(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const problem = late
    ? problemDocument('too-slow', 'the request did not come whole in time', randomUUID())
    : problemDocument('refused', 'this is not an HTTP request, or its head is too large', randomUUID());
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${late ? '408 Request Timeout' : '400 Bad Request'}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\n\r\n${body}`);
}

// What is served here is ours alone, and over plain HTTP too: whether there is TLS is the business of what stands before it.
const CONTENT = { upgradeInsecureRequests: null, defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'], connectSrc: ["'self'"], frameAncestors: ["'none'"], formAction: ["'none'"] }; // prettier-ignore

/** Made when somebody looks at it for the first time: it takes 20 ms, which a start need not. */
function serveDocumentation(app: NestExpressApplication): void {
  let made: OpenAPIObject | null = null;
  const document = (): OpenAPIObject => (made ??= openApiDocument(app));
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'docs-json',
    raw: ['json'],
    customSiteTitle: 'fraiseql-observers',
    swaggerOptions: { persistAuthorization: false, validatorUrl: null },
  });
}
