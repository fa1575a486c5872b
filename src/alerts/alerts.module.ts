import { Injectable, Module } from '@nestjs/common';
import { Pool } from 'pg';
import type { EndpointDefinition, ObserverDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import type { TermContext } from '../event/term-context';
import { Alerter } from './alerter';

/** Opens the alerter of a term, which tells people of deliveries that have failed for good. */
@Injectable()
export class Alerters {
  constructor(private readonly pool: Pool) {}

  /** Alerts that an earlier process did not come to send are sent now. @param endpoint where alerts go; null when nobody asks for them */
  async open(
    { stream, logger }: TermContext,
    endpoint: EndpointDefinition | null,
    observers: readonly ObserverDefinition[],
  ): Promise<Alerter> {
    const alerter = new Alerter(this.pool, endpoint, logger);
    await alerter
      .start(stream, observers)
      .catch((error: unknown) => logger.warn({ err: messageOf(error) }, 'earlier alerts could not be looked up'));
    return alerter;
  }
}

@Module({ providers: [Alerters], exports: [Alerters] })
export class AlertsModule {}
