import { Module, type DynamicModule } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { Registry } from 'prom-client';
import { MetricsController } from './metrics.controller';
import { StreamMetrics } from './stream-metrics';

@Module({})
export class MetricsModule {
  static of(registry: Registry, stream: StreamMetrics): DynamicModule {
    return {
      module: MetricsModule,
      // Node's own metrics are in the registry already: one registry for each service, and not one for the process.
      imports: [PrometheusModule.register({ controller: MetricsController, defaultMetrics: { enabled: false } })],
      providers: [
        { provide: Registry, useValue: registry },
        { provide: StreamMetrics, useValue: stream },
      ],
      exports: [Registry, StreamMetrics],
      global: true,
    };
  }
}
