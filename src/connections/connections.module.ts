import { Injectable, Module } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { TermConnections } from './term-connections';

/** Every client of another server. What they hold open belongs to a term, and is cut at its end. */
@Injectable()
export class Connections {
  constructor(private readonly configuration: ServiceConfiguration) {}

  open(): TermConnections {
    return new TermConnections(this.configuration.settings);
  }
}

@Module({ providers: [Connections], exports: [Connections] })
export class ConnectionsModule {}
