import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { ServiceConfiguration } from '../../config/service-configuration';
import { Retention } from '../../retention/retention.service';
import { askedBy } from '../http/access';
import { HeavyQuestions } from '../http/heavy-questions';
import type { RETENTION, RETENTION_RUN } from '../schema/retention';

/** Retention over HTTP: what is kept for how long, and a run at once. Any instance can answer, for it is all in PostgreSQL. */
@Controller('retention')
export class RetentionController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly retained: Retention,
    private readonly heavy: HeavyQuestions,
  ) {}

  @Get()
  retention(): Promise<z.output<typeof RETENTION>> {
    return this.retained.status(this.configuration.settings);
  }

  @Post('run')
  @HttpCode(200)
  runRetention(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<z.output<typeof RETENTION_RUN>> {
    return this.heavy.one(response, (stopped) => this.retained.run(this.configuration.settings, askedBy(request), stopped));
  }
}
