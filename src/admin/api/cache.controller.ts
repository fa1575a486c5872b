import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { LookupCache, recordedInvalidation } from '../../cache/lookup-cache';
import { didYouMean } from '../../config/problems';
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
    const operation = { who: askedBy(request), what: 'cache: invalidated', items: recordedInvalidation(what), before: null, after: null };
    await this.operations.record(operation);
    const by = await this.cache.invalidate(what).catch((error: unknown) => {
      throw new ApiProblem('conflict', `Redis does not answer: ${messageOf(error)}; only this instance asks anew`, {
        remedy: 'Ask again when it is back: GET /doctor',
      });
    });
    return { invalidated: 'lookup' in what ? what.lookup : what.url, by };
  }

  private async require(name: string): Promise<void> {
    const { definition } = await this.running.of(this.configuration.settings.stream);
    const names = [...new Set(definition.observers.flatMap(({ lookups }) => lookups.map((lookup) => lookup.name)))];
    if (!names.includes(name))
      throw new ApiProblem('not-found', `no observer uses a look-up "${name}"${didYouMean(name, names)}`, {
        remedy: names.length === 0 ? 'There is none.' : `What there is: ${names.join(', ')}`,
      });
  }
}
