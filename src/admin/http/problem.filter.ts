import { Catch, HttpException, NotFoundException, type ArgumentsHost, type HttpServer } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { InvalidToken } from '../../redrive/set-token';
import { isProbe } from './access';
import { methodsOf } from './methods';
import { ApiProblem, problemDocument } from './problem';
import { requestIdOf } from './request-log';

/** Whatever went wrong, as a problem document. What nobody foresaw is in the log, under the request's id, and nothing of it in the answer. */
@Catch()
export class ProblemFilter extends BaseExceptionFilter {
  private readonly methods: (path: string) => readonly string[];

  constructor(
    adapter: HttpServer,
    private readonly logger: Logger,
  ) {
    super(adapter);
    this.methods = (path) => methodsOf(adapter, path);
  }

  override catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, response] = [http.getRequest<Request>(), http.getResponse<Response>()];
    if (isProbe(request.path)) return super.catch(error, host);
    const id = requestIdOf(response);
    const problem = error instanceof NotFoundException ? this.noRoute(request) : problemOf(error);
    if (problem.kind === 'internal') this.logger.error({ err: error, request_id: id }, 'a request failed unexpectedly');
    else if (problem.kind === 'unavailable')
      this.logger.warn({ err: messageOf(error), request_id: id }, 'a request failed: no answer of the database');
    if (response.headersSent) return void response.destroy();
    const document = problemDocument(problem.kind, problem.detail, id, problem.extras);
    response.set({ ...problem.extras.headers });
    response.status(document.status).type('application/problem+json').send(JSON.stringify(document));
  }

  private noRoute({ method, path }: Request): ApiProblem {
    const methods = this.methods(path);
    if (methods.length === 0) return ofStatus(404);
    return new ApiProblem('method-not-allowed', `this path does not take ${method}, but ${methods.join(', ')}`, {
      headers: { allow: methods.join(', ') },
    });
  }
}

function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof InvalidToken) return new ApiProblem('invalid-token', error.message, { remedy: error.remedy });
  if (error instanceof OperatorError) return ofOperator(error);
  if (error instanceof HttpException) return ofStatus(error.getStatus());
  const { code, status } = (error ?? {}) as { code?: unknown; status?: unknown };
  // Errors of express quote what was sent.
  if (typeof status === 'number' && status >= 400 && status < 500) return ofStatus(status);
  if (code === '57014')
    return new ApiProblem('unavailable', 'the database took too long over it', { remedy: 'Narrow the question down, or ask again later.' });
  if (typeof code === 'string' && /^22\w{3}$/.test(code))
    return new ApiProblem('invalid-request', 'PostgreSQL does not take one of these values');
  return isUnreachable(error, code)
    ? new ApiProblem('unavailable', 'the database does not answer at the moment', { headers: { 'retry-after': '5' } })
    : new ApiProblem('internal', 'an unexpected error; the log of the service has it under this request id');
}

function ofOperator({ message, remedy, exitCode }: OperatorError): ApiProblem {
  const kind =
    exitCode === ExitCode.notFound
      ? 'not-found'
      : exitCode === ExitCode.connection
        ? 'unavailable'
        : exitCode === ExitCode.validation
          ? 'invalid-request'
          : 'conflict';
  return new ApiProblem(kind, message, { remedy });
}

function ofStatus(status: number): ApiProblem {
  switch (status) {
    case 404:
      return new ApiProblem('not-found', 'there is no such route; what there is: /docs');
    case 413:
      return new ApiProblem('too-large', 'a body may have 100 kB');
    case 415:
      return new ApiProblem('unsupported-media-type', 'a body is JSON in UTF-8, not compressed');
    case 429:
      return new ApiProblem('too-many-requests', 'more requests than OBSERVERS_API_RATE allows', {});
    default:
      return new ApiProblem(
        status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : 'refused',
        'the request is not well-formed',
      );
  }
}

const UNREACHABLE = /^(08|53|40|57P0|55P03|25006|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN)/;
// pg and its pool have no codes of their own.
const SILENT =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|connection error|after calling end|connection ended/i;

function isUnreachable(error: unknown, code: unknown): boolean {
  return (typeof code === 'string' && UNREACHABLE.test(code)) || (error instanceof Error && SILENT.test(error.message));
}
