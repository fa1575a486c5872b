import { Body, Controller, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { Audits } from '../../audit/audits.service';
import { ConfigVersions } from '../../config/config-versions.service';
import { ServiceConfiguration } from '../../config/service-configuration';
import { CheckpointResets } from '../../reset/checkpoint-resets.service';
import { askedBy, boundsOf } from '../http/access';
import { KnownFilters } from '../http/known-filters';
import { Take } from '../http/take.pipe';
import type { CHECKPOINT, CONFIG_VERSIONS, DISMISSED, UNACCOUNTED } from '../schema/history';
import { OPERATIONS } from './operations';

const { unaccounted: UNACCOUNTED_OF, dismissUnaccounted: DISMISS } = OPERATIONS;

const RESETS_SHOWN = 20;

/** The history of a stream: where the stream stands, by which versions it was led, and what of it is missing. */
@Controller()
export class HistoryController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly resets: CheckpointResets,
    private readonly versions: ConfigVersions,
    private readonly audits: Audits,
    private readonly known: KnownFilters,
  ) {}

  @Get('checkpoint')
  async checkpoint(): Promise<z.output<typeof CHECKPOINT>> {
    const { stream } = this;
    return { stream, ...(await this.resets.place(stream)), resets: await this.resets.list(stream, RESETS_SHOWN) };
  }

  /** Without their text, which is for whoever may read the file. */
  @Get('config/versions')
  async configVersions(): Promise<z.output<typeof CONFIG_VERSIONS>> {
    const found = await this.versions.list(this.stream);
    return { items: found.map(({ version, recordedAt, by, ledFrom, current }) => ({ version, recordedAt, by, ledFrom, current })) };
  }

  @Get('audit/unaccounted')
  async unaccounted(
    @Query(new Take(UNACCOUNTED_OF.query, 'query')) { limit }: z.output<typeof UNACCOUNTED_OF.query>,
  ): Promise<z.output<typeof UNACCOUNTED>> {
    return { items: await this.audits.unaccounted(this.stream, limit) };
  }

  @Post('audit/dismiss')
  @HttpCode(200)
  async dismissUnaccounted(
    @Body(new Take(DISMISS.body, 'body')) body: z.output<typeof DISMISS.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof DISMISSED>> {
    const { change: changeNumber, observer = null, action = null, reason = null } = body;
    await this.known.require('body', { observer, action }, boundsOf(request));
    const by = { who: askedBy(request), reason };
    return { dismissed: await this.audits.dismiss(this.stream, { changeNumber, observer, action }, by) };
  }

  private get stream(): string {
    return this.configuration.settings.stream;
  }
}
