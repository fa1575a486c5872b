import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { ServiceConfiguration } from '../config/service-configuration';
import { Database } from '../database/database';
import { ExitCode, OperatorError } from '../event/errors';
import { StoredEvents } from '../explain/stored-events.service';
import { Streams } from '../ha/streams.service';
import { InvalidToken, issueToken, readToken } from '../redrive/set-token';
import { CheckpointResets, type ResetPlan, type ResetTarget } from './checkpoint-resets.service';

/** What a look at a reset has shown, put down under its token. */
interface ShownReset {
  readonly stream: string;
  readonly asked: string;
  readonly target: ResetTarget;
  readonly state: string | null;
  /** By hand before it: another reset meanwhile makes the look worth nothing. */
  readonly last: string | null;
}

export interface ResetPreview extends ResetPlan {
  readonly token: string;
}

/** Moving the checkpoint of a service that runs: a look first, whose token does it. */
@Injectable()
export class AskedResets {
  constructor(
    private readonly resets: CheckpointResets,
    private readonly events: StoredEvents,
    private readonly streams: Streams,
    private readonly database: Database,
    private readonly configuration: ServiceConfiguration,
  ) {}

  /** Changes nothing. @param asked `now`, `beginning`, or the id or change number of the event that comes next */
  async preview(asked: string): Promise<ResetPreview> {
    const { stream, retention } = this.configuration.settings;
    const target = await this.targetOf(asked);
    const plan = await this.resets.plan(stream, target, retention);
    const shown: ShownReset = { stream, asked, target, state: plan.from?.state ?? null, last: await this.last(stream) };
    const token = await this.database.use((client) => issueToken(client, 'checkpoint', shown));
    return { ...plan, token };
  }

  /**
   * By the instance that leads, which rests for as long as it takes. What has come since the look is counted once more.
   *
   * @throws InvalidToken, OperatorError
   */
  async perform(token: string, by: string, reason: string | null): Promise<ResetPlan & { readonly asked: string }> {
    const { stream, retention } = this.configuration.settings;
    const { asked, target, ...shown } = await this.database.use((client) => readToken<ShownReset>(client, 'checkpoint', token));
    const { checkpoint } = await this.resets.place(stream);
    const now = { stream, state: checkpoint?.state ?? null, last: await this.last(stream) };
    if (!isDeepStrictEqual(shown, now))
      throw new InvalidToken('the checkpoint is no longer as the look has shown it', 'Make the dry run again.');
    const done = await this.streams.main.resting(() => this.resets.perform({ stream, target, asked, by, reason, retention }));
    if (done !== null) return { ...done, asked };
    throw new OperatorError(`another instance has begun to lead stream "${stream}" meanwhile: nothing was changed`, 'Ask again.');
  }

  private async last(stream: string): Promise<string | null> {
    return (await this.resets.list(stream, 1))[0]?.at ?? null;
  }

  private async targetOf(asked: string): Promise<ResetTarget> {
    if (asked === 'now' || asked === 'beginning') return { to: asked };
    const change = /^\d+$/.test(asked) ? Number(asked) : await this.events.find(asked);
    if (change !== null && (await this.events.has(change))) return { to: 'event', change };
    throw new OperatorError(`there is no event ${asked} in the change log`, 'The last events: GET /events', ExitCode.notFound);
  }
}
