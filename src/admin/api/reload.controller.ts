import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { Reloader } from '../../reload/reloader';
import { askedBy } from '../http/access';
import { LeaderProxy } from '../http/leader-proxy';
import type { RELOADED } from '../schema/observers';
import { asConfigurationProblem } from './configuration-problem';

/** Another observers file: for the instance that answers, and for the one that leads. */
@Controller('reload')
export class ReloadController {
  constructor(
    private readonly reloader: Reloader,
    private readonly leader: LeaderProxy,
  ) {}

  /** Here first: an instance that has an older file would go back to it when it takes over. The answer is the leader's, where there is one. */
  @Post()
  @HttpCode(200)
  async reload(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<z.output<typeof RELOADED>> {
    const { added, removed, changed, notes, ...reloaded } = await asConfigurationProblem(() => this.reloader.reload(askedBy(request)));
    const own = { ...reloaded, added: [...added], removed: [...removed], changed: [...changed], notes: [...notes] };
    return this.leader.leadsHere ? own : ((await this.leader.ask<z.output<typeof RELOADED>>(request, response)) ?? own);
  }
}
