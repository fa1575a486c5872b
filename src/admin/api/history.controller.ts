import { Body, Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { Audits } from '../../audit/audits.service';
import { ConfigVersions } from '../../config/config-versions.service';
import { ServiceConfiguration } from '../../config/service-configuration';
import { AskedResets } from '../../reset/asked-resets.service';
import { CheckpointResets } from '../../reset/checkpoint-resets.service';
import { askedBy, boundsOf } from '../http/access';
import { HeavyQuestions } from '../http/heavy-questions';
import { KnownFilters } from '../http/known-filters';
import { LeaderProxy } from '../http/leader-proxy';
import { Take } from '../http/take.pipe';
import type { VERIFIED } from '../schema/examinations';
import type { CHECKPOINT, CONFIG_VERSIONS, DISMISSED, RESET as MOVED, UNACCOUNTED } from '../schema/history';
import { cursorOf, momentOf, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { unaccounted: UNACCOUNTED_OF, dismissUnaccounted: DISMISS, verifyAudit: VERIFY, resetCheckpoint: RESET_OF } = OPERATIONS;

const BEHIND = z.strictObject({ change: z.int().min(0) });

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
    private readonly asked: AskedResets,
    private readonly leader: LeaderProxy,
    private readonly heavy: HeavyQuestions,
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
    const { observer = null, action = null, reason = null } = body;
    const changeNumber = 'change' in body ? body.change : null;
    await this.known.require('body', { observer, action }, boundsOf(request));
    const by = { who: askedBy(request), reason };
    return { dismissed: await this.audits.dismiss(this.stream, { changeNumber, observer, action }, by) };
  }

  @Get('audit/verify')
  async verifyAudit(
    @Query(new Take(VERIFY.query, 'query')) { since, cursor }: z.output<typeof VERIFY.query>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof VERIFIED>> {
    const { loaded, settings } = this.configuration;
    const { stream, retention, maxEventSize } = settings;
    const request = { stream, retention, maxEventSize, since: momentOf(since) };
    const behind = placeOf(cursor, BEHIND)?.change ?? 0;
    return this.heavy.one(response, async (stopped) => {
      const part = await this.audits.verifyPart(request, loaded.definitionOf, { behind, stopped });
      return { ...part.audit, list: [...part.audit.list], next: part.behind === null ? null : cursorOf({ change: part.behind }) };
    });
  }

  @Post('checkpoint/reset')
  @HttpCode(200)
  async resetCheckpoint(
    @Body(new Take(RESET_OF.body, 'body')) body: z.output<typeof RESET_OF.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof MOVED>> {
    const { stream } = this;
    if ('dry_run' in body) {
      const to = body.to.toLowerCase();
      return { performed: false, stream, to, ...(await this.asked.preview(to)) };
    }
    const passed = this.leader.leadsHere ? null : await this.leader.ask<z.output<typeof MOVED>>(request, response);
    if (passed !== null) return passed;
    const { asked: to, ...done } = await this.asked.perform(body.token, askedBy(request), body.reason ?? null);
    return { performed: true, stream, to, ...done };
  }

  private get stream(): string {
    return this.configuration.settings.stream;
  }
}
