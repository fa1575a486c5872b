import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { askedBy, boundsOf, isStillAllowed } from '../http/access';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import { placeFrom } from '../tail-id';
import { TailStreams } from '../tail-streams';
import { momentOf } from './cursor';
import { OPERATIONS } from './operations';

const { tail: TAIL } = OPERATIONS;

/** What happens, as it happens. */
@Controller('tail')
export class TailController {
  constructor(private readonly streams: TailStreams) {}

  @Get()
  async tail(
    @Query(new Take(TAIL.query, 'query')) query: z.output<typeof TAIL.query>,
    @Headers('last-event-id') id: string | undefined,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { observer = null, action = null, entity_type: entityType = null, outcome = null, since, number } = query;
    const filter = { observer, action, entityType, outcome, bounds: boundsOf(request) };
    // An empty one is what a reader sends that has seen none yet.
    const from = id === undefined || id === '' ? { since: momentOf(since), change: null, count: number } : placeFrom(id);
    if (from === null)
      throw new ApiProblem('invalid-request', 'the header Last-Event-ID is not the id of an event of this stream', {
        violations: [{ at: 'header.last-event-id', message: 'it is not one that GET /tail gave' }],
      });
    if (request.method === 'HEAD') return void response.type('text/event-stream').end();
    await this.streams.follow(response, { who: askedBy(request), filter, from, allowed: () => isStillAllowed(request) });
  }
}
