import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { ExitCode, OperatorError } from '../event/errors';
import { Matcher } from '../matching/matcher';
import { previewReplay, type ReplayPreview, type ReplayRequest } from './replay-preview';
import type { ReplayPlan } from './replay-scan';
import { ReplayWorker, type ShownReplay } from './replay-worker';
import { beginReplay, hasRun } from './replay.sql';
import { readToken } from './set-token';

export type { ChangeRange } from '../change-log/stored-changes.sql';
export type { ReplayPreview } from './replay-preview';

/** More deliveries than one event has, so that one step does all of it. */
const ALL = 10_000;

/** What was begun by a replay. */
export interface QueuedReplay {
  readonly queued: { changeNumber: number; observer: string; action: string }[];
  readonly alreadyUnderWay: number;
}

/** Stored events, sent to chosen observers once more: a dry run shows the deliveries and gives a token, the token sends exactly these. */
@Injectable()
export class Replays {
  constructor(private readonly database: Database) {}

  /** Changes nothing. @throws OperatorError when there is no such observer or action, or the stream has never been read */
  preview(request: ReplayRequest): Promise<ReplayPreview> {
    return this.database.use((client) => previewReplay(client, request));
  }

  /**
   * What a token stands for.
   *
   * @param by the stream and the hash of the observers file by which it would be sent
   * @throws InvalidToken
   * @throws OperatorError when other conditions would find other deliveries, or no service knows what to send
   */
  shown(token: string, by: Pick<ReplayRequest, 'stream' | 'config'>): Promise<ShownReplay> {
    return this.database.use(async (client) => {
      const plan = await readToken<ReplayPlan>(client, 'replay', token);
      if (plan.config !== by.config || plan.stream !== by.stream)
        throw new OperatorError('the observers file has changed since the dry run', 'Make the dry run again.', ExitCode.configuration);
      if (!(await hasRun(client, by.config)))
        throw new OperatorError(
          'no service has run with this observers file yet, so it would send by another one',
          'Start the service with this file first, or name the file that it runs with (--config).',
          ExitCode.configuration,
        );
      return { ...plan, id: token };
    });
  }

  /** Goes on where an earlier run with the same token was stopped. @throws OperatorError when all of it was sent */
  async begin(shown: ShownReplay, by: Pick<ReplayRequest, 'known' | 'maxEventSize'>, who: string): Promise<ReplayWorker> {
    const state = await this.database.use((client) => beginReplay(client, shown.id, who));
    if (state.finished) throw new OperatorError('this token has been used: what it stands for was sent', 'Make the dry run again.');
    return new ReplayWorker(this.database, new Matcher(by.known), { ...shown, who }, by.maxEventSize, state);
  }

  /** All of it at once, for what is as small as one event. */
  async sendAll(shown: ShownReplay, by: Pick<ReplayRequest, 'known' | 'maxEventSize'>, who: string): Promise<QueuedReplay> {
    const worker = await this.begin(shown, by, who);
    const queued: QueuedReplay['queued'] = [];
    for (let step = await worker.step(ALL); step !== null; step = await worker.step(ALL)) {
      for (const { changeNumber, observer, action } of step.asked)
        if (observer !== null && action !== null) queued.push({ changeNumber: Number(changeNumber), observer, action });
    }
    await worker.finish();
    return { queued, alreadyUnderWay: worker.alreadyUnderWay };
  }
}
