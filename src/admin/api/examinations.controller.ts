import { Body, Controller, Get, Header, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { ServiceConfiguration } from '../../config/service-configuration';
import { VersionDiffs } from '../../config/version-diffs.service';
import { examineServers } from '../../connections/examination';
import { Doctor } from '../../doctor/doctor.service';
import { Previews } from '../../dry-run/previews.service';
import { shortened } from '../../dry-run/shorten';
import { TestEvents } from '../../dry-run/test-events.service';
import { parseSpelledJson, stringifyExactJson, type JsonValue } from '../../event/json-document';
import { jsonText } from '../../event/json-text';
import { eventJson } from '../../explain/explanation-json';
import { Reloader } from '../../reload/reloader';
import { askedBy, boundsOf, mayWrite, requireWrite } from '../http/access';
import { writtenBody } from '../http/body';
import { HeavyQuestions } from '../http/heavy-questions';
import { Take } from '../http/take.pipe';
import type { DIFF, FINDINGS, PREVIEWED } from '../schema/examinations';
import { asConfigurationProblem } from './configuration-problem';
import { momentOf } from './cursor';
import { OPERATIONS } from './operations';

const { configDiff: DIFF_OF, configPreview: PREVIEW, testEvent: TEST } = OPERATIONS;

const DAY = 86_400_000;

/** Looks that send nothing: what is wrong, what a configuration would do, what an event would cause. */
@Controller()
export class ExaminationsController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly reloader: Reloader,
    private readonly theDoctor: Doctor,
    private readonly diffs: VersionDiffs,
    private readonly previews: Previews,
    private readonly heavy: HeavyQuestions,
    private readonly tests: TestEvents,
  ) {}

  @Get('doctor')
  doctor(@Res({ passthrough: true }) response: Response): Promise<z.output<typeof FINDINGS>> {
    const { settings, file } = this.reloader.current.configuration;
    return this.heavy.one(response, async () => {
      const database = await this.theDoctor.examine(settings, file.definition.captures, this.configuration.source.unverified);
      const findings = [...database, ...(await examineServers(settings))];
      const count = (state: string): number => findings.filter((finding) => finding.state === state).length;
      return { problems: count('problem'), warnings: count('warning'), findings };
    });
  }

  @Get('config/diff')
  async configDiff(@Query(new Take(DIFF_OF.query, 'query')) { from, to }: z.output<typeof DIFF_OF.query>): Promise<z.output<typeof DIFF>> {
    return asConfigurationProblem(() => this.diffs.between(from ?? null, to ?? null));
  }

  @Get('config/preview')
  async configPreview(
    @Query(new Take(PREVIEW.query, 'query')) { since, limit }: z.output<typeof PREVIEW.query>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof PREVIEWED>> {
    const from = momentOf(since) ?? new Date(Date.now() - DAY).toISOString();
    return this.heavy.one(response, (stopped) =>
      asConfigurationProblem(async () =>
        shortened(await this.previews.run(this.configuration.source.load(), { since: from, limit, stopped })),
      ),
    );
  }

  /** Text, for the numbers of a row keep all their digits. */
  @Post('test-event')
  @HttpCode(200)
  @Header('content-type', 'application/json; charset=utf-8')
  async testEvent(
    @Body(new Take(TEST.body, 'body')) body: z.output<typeof TEST.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<string> {
    const { observers = null, with_lookups: ask, send } = body;
    if (ask || send) requireWrite(request, send ? '"send": true' : '"with_lookups": true');
    const event = 'id' in body ? { id: body.id } : { text: eventIn(writtenBody(request)) };
    const test = { event, observers, ask, sentBy: send ? askedBy(request) : null, trusted: mayWrite(request) };
    const run = await this.heavy.one(response, () => this.tests.run(this.reloader.current.configuration, test, boundsOf(request)));
    return jsonText(shortened({ ...run, event: eventJson(run.event) }));
  }
}

function eventIn(body: string): string {
  return stringifyExactJson((parseSpelledJson(body) as { readonly event: JsonValue }).event);
}
