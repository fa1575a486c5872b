import { Injectable, Module } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { Clock } from '../event/clock';
import { TermConnections } from './term-connections';

/** Every client of another server. What they hold open belongs to a term, and is cut at its end. */
@Injectable()
export class Connections {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly clock: Clock,
  ) {}

  open(): TermConnections {
    return new TermConnections(this.configuration.settings, this.clock);
  }
}

@Module({ providers: [Connections], exports: [Connections] })
export class ConnectionsModule {}
