import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { request as send, type Dispatcher } from 'undici';
import { ServiceLogger } from '../../event/service-logger';
import { messageOf } from '../../event/errors';
import { Streams } from '../../ha/streams.service';
import { Status, type LeaderPlace } from '../../status/status.service';
import { isLoopbackHost } from './loopback';
import { ApiProblem, PROBLEMS, type ProblemDocument, type ProblemKind } from './problem';
import { requestIdOf } from './request-log';

/** Names the instance that it is meant for: a request that has it is passed on no further. */
const PASSED_ON = 'x-observers-passed-on';
/** On the answer: who gave it. */
const ANSWERED_BY = 'x-observers-answered-by';
/** Seconds after which to ask again: a lease that is lost is taken over by then. */
const RETRY_AFTER = '2';
/** Milliseconds: the longest is a reload or a move of the checkpoint, which wait for deliveries. */
const HEAD = 45_000;
const LARGEST = 4 << 20;

/** Passes requests on that only the instance that leads can answer: once, with the token of whoever asked. */
@Injectable()
export class LeaderProxy {
  constructor(
    private readonly status: Status,
    private readonly streams: Streams,
    private readonly logger: ServiceLogger,
  ) {}

  /** Whether this instance is to answer by itself. */
  get leadsHere(): boolean {
    return this.streams.main.leads;
  }

  /**
   * @returns the leader's answer; null when nobody leads, or this instance does or is about to
   * @throws ApiProblem when the leader answers with one, or cannot be reached
   */
  async ask<T>(request: Request, response: Response): Promise<T | null> {
    const { stream, holder } = this.streams.main;
    const leader = await this.status.leaderPlace(stream);
    if (leader === null || leader.holder === holder) return null;
    if (request.get(PASSED_ON) !== undefined) throw unreachable(leader, 'the request was passed on to this instance, which leads no more');
    const url = reachable(leader);
    if (url === null) throw unreachable(leader, 'it listens on the loopback address of another machine', 'Set OBSERVERS_HOST there, or OBSERVERS_ADVERTISE_URL.'); // prettier-ignore
    const answer = await this.send(leader, url, request, response);
    response.setHeader(ANSWERED_BY, leader.holder);
    if (answer.statusCode === 401) {
      await answer.body.dump();
      throw unreachable(
        leader,
        'it does not know the token of the request',
        'Give all instances the same tokens (OBSERVERS_API_TOKENS), or ask that one.',
      );
    }
    const document = await jsonOf(answer.body).catch((error: unknown) => {
      throw unreachable(leader, messageOf(error));
    });
    if (answer.statusCode < 400) {
      response.status(answer.statusCode);
      return document as T;
    }
    throw problemOf(leader, answer.statusCode, document);
  }

  private async send(leader: LeaderPlace, url: string, request: Request, response: Response): Promise<Dispatcher.ResponseData> {
    const { method, originalUrl } = request;
    const authorization = request.get('authorization');
    const body = method === 'GET' || method === 'HEAD' || request.body === undefined ? null : JSON.stringify(request.body);
    try {
      return await send(`${url}${originalUrl}`, {
        // A HEAD is answered with what a GET is, without its body: that is done here.
        method: method === 'HEAD' ? 'GET' : (method as 'GET'),
        headers: {
          [PASSED_ON]: leader.holder,
          'x-request-id': requestIdOf(response),
          ...(authorization === undefined ? {} : { authorization }),
          ...(body === null ? {} : { 'content-type': 'application/json' }),
        },
        body,
        headersTimeout: HEAD,
        bodyTimeout: HEAD,
        signal: goneWith(response),
      });
    } catch (error) {
      this.logger.warn(
        { leader: leader.holder, url, err: messageOf(error) },
        'a request could not be passed on to the instance that leads',
      );
      throw unreachable(leader, messageOf(error), 'Ask again in a moment, or ask that instance.');
    }
  }
}

/** Nobody waits for an answer that nobody reads. */
function goneWith(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

/** A loopback address is that of its own machine only: a token would go to a stranger. */
function reachable({ url, host }: LeaderPlace): string | null {
  if (url === null || !URL.canParse(url)) return null;
  return isLoopbackHost(new URL(url).host) && host !== hostname() ? null : url;
}

async function jsonOf(body: Dispatcher.ResponseData['body']): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw new Error('its answer is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

function problemOf(leader: LeaderPlace, status: number, document: unknown): ApiProblem {
  const { type, detail, remedy, violations } = (document ?? {}) as Partial<ProblemDocument>;
  const kind = String(type).replace(/^urn:fraiseql-observers:problem:/, '');
  if (!Object.hasOwn(PROBLEMS, kind) || typeof detail !== 'string')
    return unreachable(leader, `it answered ${status}, and not as an instance of this service does`);
  return new ApiProblem(kind as ProblemKind, detail, {
    ...(remedy === undefined ? {} : { remedy }),
    ...(violations === undefined ? {} : { violations }),
    headers: { ...(status === 503 ? { 'retry-after': RETRY_AFTER } : {}), [ANSWERED_BY]: leader.holder },
  });
}

/** Only the instance that leads knows, or can do it; and that is who it is. */
export function unreachable(
  { holder, url }: Pick<LeaderPlace, 'holder'> & Partial<LeaderPlace>,
  why: string,
  remedy = 'Ask again in a moment.',
): ApiProblem {
  const where = url === null || url === undefined ? holder : `${holder} at ${url}`;
  return new ApiProblem('leader-unreachable', `only the instance that leads can answer this, ${where}: ${why}`, {
    remedy,
    headers: { 'retry-after': RETRY_AFTER },
  });
}
