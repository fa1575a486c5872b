import { Controller, Get, Query } from '@nestjs/common';
import type { z } from 'zod';
import { ServiceConfiguration } from '../../config/service-configuration';
import { EntityAnswers } from '../../explain/entity-answers.service';
import { Take } from '../http/take.pipe';
import type { ANSWER } from '../schema/why';
import { OPERATIONS } from './operations';

const { why: WHY } = OPERATIONS;

/** One question about one entity. */
@Controller('why')
export class WhyController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly answers: EntityAnswers,
  ) {}

  @Get()
  why(@Query(new Take(WHY.query, 'query')) query: z.output<typeof WHY.query>): Promise<z.output<typeof ANSWER>> {
    const { entity, key, observer = null, limit } = query;
    const { loaded, settings } = this.configuration;
    const { stream, retention, retentionLog, maxEventSize } = settings;
    const { definitionOf, file } = loaded;
    const options = { stream, retention, retentionLog, maxEventSize, definitionOf, file: file.definition };
    return this.answers.to({ entity, key, observer, limit }, options);
  }
}
