import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { leading, Status, type Listeners, type StreamStatus } from '../../status/status.service';
import { Operations } from '../../status/operations.service';
import type { Leadership } from '../../ha/leadership';
import { Streams } from '../../ha/streams.service';
import { PersonalActions } from '../../logging/personal-actions';
import { askedBy } from '../http/access';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { BREAKERS, LISTENERS, RESET } from '../schema/status';
import { OPERATIONS } from './operations';

const { resetBreaker } = OPERATIONS;

/** The stream as a whole: who leads it, how it goes, what its endpoints do. */
@Controller()
export class StreamController {
  constructor(
    private readonly log: PersonalActions,
    private readonly streamStatus: Status,
    private readonly streams: Streams,
    private readonly operations: Operations,
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
        leads: leader?.alive === true && leader.holder === one.id,
        self: one.id === this.main.holder,
      })),
    };
  }

  @Get('circuit-breakers')
  async circuitBreakers(): Promise<z.output<typeof BREAKERS>> {
    if (this.main.leads) return { source: 'this instance leads', breakers: [...this.main.breakers()] };
    const leader = leading(await this.found());
    if (leader === undefined) return { source: 'nobody leads', breakers: [] };
    const breakers = leader.endpoints.flatMap(({ name, breaker }) => (breaker === null ? [] : [{ name, ...breaker }]));
    return { source: 'last heartbeat of the leader', breakers };
  }

  @Post('circuit-breakers/:name/reset')
  @HttpCode(200)
  async resetBreaker(
    @Param(new Take(resetBreaker.path, 'path')) { name }: z.output<typeof resetBreaker.path>,
    @Body(new Take(resetBreaker.body, 'body')) { reason }: z.output<typeof resetBreaker.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof RESET>> {
    const before = this.main.leads ? (this.main.breakers().find((one) => one.name === name)?.state ?? 'no breaker') : 'not leading';
    if (before === 'not leading') throw await this.notLeading();
    if (before === 'no breaker') throw new ApiProblem('not-found', `the endpoint "${name}" has no circuit breaker, or there is no such endpoint`, { remedy: 'What there is: GET /circuit-breakers' }); // prettier-ignore
    if (before !== 'closed') {
      const who = askedBy(request);
      const items = { endpoint: name, reason: reason ?? null };
      await this.operations.record({ who, what: 'breaker: reset', items, before: { state: before }, after: { state: 'closed' } });
      this.main.resetBreaker(name);
      this.log.note('a circuit breaker was reset', who, items);
    }
    return { name, state: 'closed', changed: before !== 'closed' };
  }

  /** The one that requests are about; none names another one yet. */
  private get main(): Leadership {
    return this.streams.main;
  }

  private found(): Promise<Listeners> {
    return this.streamStatus.listeners(this.main.stream);
  }

  private async notLeading(): Promise<ApiProblem> {
    const leader = leading(await this.found());
    if (leader === undefined)
      return new ApiProblem('not-leading', 'no service leads the stream: nobody has circuit breakers at the moment');
    const where = leader.address === null ? leader.id : `${leader.id} at ${leader.address}`;
    return new ApiProblem('not-leading', `circuit breakers live in the instance that leads, and that is ${where}`, {
      remedy: `Send the request to ${leader.address ?? leader.id}.`,
    });
  }
}
