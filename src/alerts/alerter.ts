import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { HttpSender, splitUrl } from '../connections/http/http-sender';
import { signer } from '../connections/http/signature';
import { alertSent, claimAlert, findUntold, unclaimAlert } from './alert.sql';
import type { DeadLetterRecord } from '../delivery/records';
import type { EndpointDefinition, ObserverDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import { visible } from '../event/terminal';
import { webhookHeaders } from '../event/webhook-headers';
import { encodeUrl, slackSafe } from '../matching/template/encoding';

/** At most one alert about an observer in this time, in milliseconds; a failed one is tried again sooner. */
const PAUSE = 60_000;
const AFTER_FAILURE = 10_000;
const LOOK_EVERY = 500;

/** What has failed since the last alert about an observer. */
interface Untold {
  failures: number;
  readonly since: string;
  last: Pick<DeadLetterRecord, 'id' | 'action' | 'entityType' | 'entityKey' | 'error' | 'message'> | null;
}

interface Target {
  readonly endpoint: EndpointDefinition;
  readonly sender: HttpSender;
}

/** Tells people of deliveries that have failed for good, for observers with `on_failure: alert`. They are in the dead letters all the same. */
export class Alerter {
  private readonly untold = new Map<string, Untold>();
  private target: Target | null;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly pool: Pool,
    endpoint: EndpointDefinition | null,
    private readonly logger: Logger,
    private readonly pause = PAUSE,
  ) {
    this.target = endpoint === null ? null : { endpoint, sender: new HttpSender(endpoint) };
  }

  /** Alerts go there from now on; null: nobody asks for them any more. */
  use(endpoint: EndpointDefinition | null): void {
    if (isDeepStrictEqual(endpoint, this.target?.endpoint ?? null)) return;
    const { target: before, looking } = this;
    this.target = endpoint === null ? null : { endpoint, sender: new HttpSender(endpoint) };
    if (endpoint === null) this.untold.clear();
    void looking.then(() => before?.sender.close());
  }

  /** What an earlier process did not come to tell is told now. */
  async start(stream: string, observers: readonly ObserverDefinition[]): Promise<void> {
    if (this.target === null) return this.schedule();
    const names = observers.filter(({ onFailure }) => onFailure === 'alert').map(({ name }) => name);
    for (const { observer, ...untold } of await findUntold(this.pool, stream, names)) this.untold.set(observer, { ...untold, last: null });
    this.schedule();
  }

  failed(record: DeadLetterRecord): void {
    if (this.target === null) return;
    const untold = this.untold.get(record.observer) ?? { failures: 0, since: new Date().toISOString(), last: null };
    untold.failures++;
    untold.last = record;
    this.untold.set(record.observer, untold);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.target?.sender.close();
    await this.looking;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.looking = this.look().finally(() => this.schedule());
    }, LOOK_EVERY);
  }

  private async look(): Promise<void> {
    const { target } = this;
    if (target === null) return;
    for (const [observer, untold] of [...this.untold]) {
      try {
        const claimedAt = await claimAlert(this.pool, observer, this.pause);
        if (claimedAt !== null) await this.tell(target, observer, untold, claimedAt);
      } catch (error) {
        this.logger.warn({ observer, err: messageOf(error) }, 'an alert could not be sent; it is tried again');
      }
    }
  }

  private async tell(target: Target, observer: string, untold: Untold, claimedAt: string): Promise<void> {
    // What fails while it is being sent belongs to the next one.
    this.untold.delete(observer);
    const outcome = await this.send(target, observer, untold);
    if (outcome.ok) return alertSent(this.pool, observer, claimedAt);
    const meanwhile = this.untold.get(observer);
    this.untold.set(observer, { ...untold, failures: untold.failures + (meanwhile?.failures ?? 0), last: meanwhile?.last ?? untold.last });
    this.logger.warn({ observer, error: outcome.error, status: outcome.status }, `an alert could not be sent: ${outcome.message}`);
    await unclaimAlert(this.pool, observer, this.pause, AFTER_FAILURE);
  }

  private send({ endpoint, sender }: Target, observer: string, { failures, since, last }: Untold): ReturnType<HttpSender['send']> {
    const what = last === null ? '' : `; the last: ${last.action} for ${last.entityType} ${last.entityKey}: ${last.message}`;
    const said = `${observer}: ${failures} ${failures === 1 ? 'delivery has' : 'deliveries have'} failed for good since ${since}${what}`;
    const body = Buffer.from(
      JSON.stringify({
        type: 'observers.alert',
        text: chatText(said),
        observer,
        failures,
        since,
        last: last && { delivery: last.id, action: last.action, entity: { type: last.entityType, key: last.entityKey }, error: last.error, message: last.message }, // prettier-ignore
      }),
    );
    const id = randomUUID();
    const timestamp = Math.floor(sender.clock.now() / 1_000);
    const headers = ['webhook-id', id, 'webhook-timestamp', String(timestamp)];
    for (const [name, value] of webhookHeaders({ endpoint, headers: {} })) headers.push(name, value);
    if (endpoint.signingSecrets.length > 0) headers.push('webhook-signature', signer(endpoint.signingSecrets)(id, timestamp, body));
    return sender.send({ path: encodeUrl(splitUrl(endpoint.url)[1]), method: 'POST', headers, body });
  }
}

/** What Slack, Mattermost and the like show of it: keys and messages neither mention, nor link, nor make lines. The other fields are exact. */
function chatText(text: string): string {
  // Mattermost mentions by a bare @channel; a joiner of no width keeps it from being a name.
  return slackSafe(visible(text)).replaceAll(/@(?=[\p{L}\p{N}_])/gu, '@\u2060');
}
