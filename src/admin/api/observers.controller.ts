import { Body, Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { describeObservers } from '../../config/describe';
import { textsIn } from '../../config/redaction';
import { didYouMean } from '../../config/problems';
import { RunningConfiguration } from '../../config/running-configuration';
import { ServiceConfiguration } from '../../config/service-configuration';
import { ObserverPauses } from '../../delivery/observer-pauses.service';
import { PersonalActions } from '../../logging/personal-actions';
import { Status } from '../../status/status.service';
import { allows, type Bounds } from '../../event/bounds';
import { askedBy, boundsOf } from '../http/access';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { OBSERVERS, PAUSE_RESULT, RESUME_RESULT } from '../schema/observers';
import { OPERATIONS } from './operations';

const { pauseObserver: PAUSE, resumeObserver: RESUME } = OPERATIONS;

/** Who observes what; pausing and resuming them. */
@Controller('observers')
export class ObserversController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly running: RunningConfiguration,
    private readonly log: PersonalActions,
    private readonly pauses: ObserverPauses,
    private readonly status: Status,
  ) {}

  @Get()
  async observers(@Req() request: Request): Promise<z.output<typeof OBSERVERS>> {
    const { definition, version } = await this.running.of(this.stream);
    const counts = new Map((await this.status.observerCounts(this.stream)).map((one) => [one.observer, one]));
    const pauses = new Map((await this.pauses.list(this.stream)).map((one) => [one.observer, one]));
    const described = describeObservers(definition);
    const { redaction } = definition;
    return {
      configVersion: version,
      observers: definition.observers.flatMap(({ name, kinds, columns, ignoreUnchanged, when, ordering, actions: own }, i) => {
        if (!allows(boundsOf(request).observers, name)) return [];
        const { entities = '', actions = [], retry = '', goes = '' } = described[i] ?? {};
        const { pending = 0, dead = 0 } = counts.get(name) ?? {};
        return {
          name,
          entities,
          kinds: [...kinds],
          columns: columns === null ? null : redaction.all([...columns], columns),
          ignoreUnchanged,
          when: when === null ? null : redaction.text(when, [when]),
          ordering,
          actions: redaction.all([...actions], textsIn(own)),
          goes,
          retry,
          paused: pauses.get(name) ?? null,
          pending,
          dead,
        };
      }),
    };
  }

  @Post(':name/pause')
  @HttpCode(200)
  async pauseObserver(
    @Param(new Take(PAUSE.path, 'path')) { name }: z.output<typeof PAUSE.path>,
    @Body(new Take(PAUSE.body, 'body')) { reason }: z.output<typeof PAUSE.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof PAUSE_RESULT>> {
    await this.require(name, boundsOf(request));
    const changed = await this.pauses.pause(this.stream, name, askedBy(request), reason ?? null);
    if (changed) this.log.note('an observer was paused', askedBy(request), { observer: name, reason: reason ?? null });
    return { observer: name, paused: true, changed };
  }

  @Post(':name/resume')
  @HttpCode(200)
  async resumeObserver(
    @Param(new Take(RESUME.path, 'path')) { name }: z.output<typeof RESUME.path>,
    @Body(new Take(RESUME.body, 'body')) { reason }: z.output<typeof RESUME.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof RESUME_RESULT>> {
    // One that is configured no longer can be resumed too.
    const bounds = boundsOf(request);
    if (!allows(bounds.observers, name)) await this.require(name, bounds);
    const { changed, ...waits } = await this.pauses.resume(this.stream, name, askedBy(request));
    if (changed) this.log.note('an observer was resumed', askedBy(request), { observer: name, reason: reason ?? null });
    else await this.require(name, bounds);
    return { observer: name, paused: false, changed, ...waits };
  }

  private get stream(): string {
    return this.configuration.settings.stream;
  }

  private async require(name: string, { observers }: Bounds): Promise<void> {
    const all = (await this.running.of(this.stream)).definition.observers.map((observer) => observer.name);
    const names = all.filter((one) => allows(observers, one));
    if (!names.includes(name))
      throw new ApiProblem('not-found', `there is no observer "${name}"${didYouMean(name, names)}`, {
        remedy: 'What there is: GET /observers',
      });
  }
}
