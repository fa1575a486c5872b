import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { leading, Status, type Listeners, type StreamStatus } from '../../status/status.service';
import { Operations } from '../../status/operations.service';
import { Breakers, type ResetEnd, type ResetWish } from '../../redrive/breakers.service';
import type { Leadership } from '../../ha/leadership';
import { Streams } from '../../ha/streams.service';
import { PersonalActions } from '../../logging/personal-actions';
import { askedBy } from '../http/access';
import { LeaderProxy, unreachable } from '../http/leader-proxy';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { BREAKERS, LISTENERS, RESET } from '../schema/status';
import { OPERATIONS } from './operations';

const { resetBreaker } = OPERATIONS;

/** Milliseconds: the leader looks twice a second, a busy one takes its time. */
const WAIT = 10_000;

/** The stream as a whole: who leads it, how it goes, what its endpoints do. */
@Controller()
export class StreamController {
  constructor(
    private readonly log: PersonalActions,
    private readonly streamStatus: Status,
    private readonly streams: Streams,
    private readonly operations: Operations,
    private readonly breakers: Breakers,
    private readonly leader: LeaderProxy,
  ) {}

  @Get('status')
  status(): Promise<StreamStatus> {
    return this.streamStatus.summary(this.main.stream);
  }

  @Get('listeners')
  async listeners(): Promise<z.output<typeof LISTENERS>> {
    const { leader, listeners } = await this.found();
    return {
      leader,
      listeners: listeners.map((one) => ({
        ...one,
        endpoints: [...one.endpoints],
        redis: [...one.redis],
        leads: leader?.alive === true && leader.holder === one.id,
        self: one.id === this.main.holder,
      })),
    };
  }

  /** Closed ones are known to the leader alone; of the others its heartbeat tells, where it cannot be asked. */
  @Get('circuit-breakers')
  async circuitBreakers(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<z.output<typeof BREAKERS>> {
    if (this.main.leads) return { source: 'this instance leads', breakers: [...this.main.breakers()] };
    const passed = await this.leader.ask<z.output<typeof BREAKERS>>(request, response).catch(unlessUnreachable);
    if (passed !== null) return passed.source === 'this instance leads' ? { ...passed, source: 'the instance that leads' } : passed;
    const leader = leading(await this.found());
    if (leader === undefined) return { source: 'nobody leads', breakers: [] };
    const breakers = leader.endpoints.flatMap(({ name, breaker }) => (breaker === null ? [] : [{ name, ...breaker }]));
    return { source: 'last heartbeat of the leader', breakers };
  }

  /** Elsewhere by word in the database, as the command does it: that reaches the leader wherever it listens. */
  @Post('circuit-breakers/:name/reset')
  @HttpCode(200)
  async resetBreaker(
    @Param(new Take(resetBreaker.path, 'path')) { name }: z.output<typeof resetBreaker.path>,
    @Body(new Take(resetBreaker.body, 'body')) { reason }: z.output<typeof resetBreaker.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof RESET>> {
    const wish = { endpoint: name, askedBy: askedBy(request), reason: reason ?? null };
    const was = this.main.leads ? await this.resetHere(wish) : await this.breakers.reset(this.main.stream, wish, WAIT);
    if (was === 'not led') throw new ApiProblem('not-leading', 'no service leads the stream: nobody has circuit breakers at the moment');
    if (was === 'no answer') throw unreachable({ holder: (await this.found()).leader?.holder ?? 'nobody' }, `it has not answered within ${WAIT / 1_000} s; nothing is changed any more`); // prettier-ignore
    if (was === 'no breaker') throw new ApiProblem('not-found', `the endpoint "${name}" has no circuit breaker, or there is no such endpoint`, { remedy: 'What there is: GET /circuit-breakers' }); // prettier-ignore
    return { name, state: 'closed', changed: was !== 'closed' };
  }

  private async resetHere({ endpoint, askedBy: who, reason }: ResetWish): Promise<ResetEnd> {
    const state = this.main.breakers().find((one) => one.name === endpoint)?.state ?? 'no breaker';
    if (state === 'closed' || state === 'no breaker') return state;
    const items = { endpoint, reason };
    await this.operations.record({ who, what: 'breaker: reset', items, before: { state }, after: { state: 'closed' } });
    this.main.resetBreaker(endpoint);
    this.log.note('a circuit breaker was reset', who, items);
    return state;
  }

  /** The one that requests are about; none names another one yet. */
  private get main(): Leadership {
    return this.streams.main;
  }

  private found(): Promise<Listeners> {
    return this.streamStatus.listeners(this.main.stream);
  }
}

/** @throws whatever else it is */
function unlessUnreachable(error: unknown): null {
  if (error instanceof ApiProblem && error.kind === 'leader-unreachable') return null;
  throw error;
}
