import { Injectable, Module } from '@nestjs/common';
import { ServiceConfiguration } from '../config/service-configuration';
import { Clock } from '../event/clock';
import { TimersModule } from '../event/timers';
import { RedisClients } from './redis/redis-clients';
import { TermConnections } from './term-connections';

/** What actions need of other servers. What they hold open belongs to a term, and is cut at its end. */
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

/** Every client of another server. */
@Module({ imports: [TimersModule], providers: [Connections, RedisClients], exports: [Connections, RedisClients] })
export class ConnectionsModule {}
