import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { invalidationBy, unknownLookup } from '../../cache/invalidation';
import { LookupCache } from '../../cache/lookup-cache';
import { RunningConfiguration } from '../../config/running-configuration';
import { ServiceConfiguration } from '../../config/service-configuration';
import { messageOf } from '../../event/errors';
import { Operations } from '../../status/operations.service';
import { askedBy } from '../http/access';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { INVALIDATED } from '../schema/cache';
import { OPERATIONS } from './operations';

const { invalidateCache: INVALIDATE } = OPERATIONS;

/** Answers of look-ups that are known to be old. */
@Controller('cache')
export class CacheController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly running: RunningConfiguration,
    private readonly cache: LookupCache,
    private readonly operations: Operations,
  ) {}

  @Post('invalidate')
  @HttpCode(200)
  async invalidateCache(
    @Body(new Take(INVALIDATE.body, 'body')) what: z.output<typeof INVALIDATE.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof INVALIDATED>> {
    if ('lookup' in what) await this.require(what.lookup);
    await this.operations.record(invalidationBy(askedBy(request), what));
    const by = await this.cache.invalidate(what).catch((error: unknown) => {
      throw new ApiProblem('conflict', `Redis does not answer: ${messageOf(error)}; only this instance asks anew`, {
        remedy: 'Ask again when it is back: GET /doctor',
      });
    });
    return { invalidated: 'lookup' in what ? what.lookup : what.url, by };
  }

  private async require(name: string): Promise<void> {
    const { definition } = await this.running.of(this.configuration.settings.stream);
    const unknown = unknownLookup(name, definition.observers);
    if (unknown !== null) throw new ApiProblem('not-found', unknown.message, { remedy: unknown.remedy });
  }
}
