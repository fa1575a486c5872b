import { Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { ServiceConfiguration } from '../config/service-configuration';
import { ConnectionsModule } from '../connections/connections.module';
import { HaModule } from '../ha/ha.module';
import { PipelineModule } from '../pipeline/pipeline.module';
import { MetricsController } from './metrics.controller';
import { PipelineMetrics } from './pipeline-metrics';
import { RedisMetrics } from './redis-metrics';
import { RetentionMetrics } from './retention-metrics';
import { StreamMetrics } from './stream-metrics';

/** Gauges whose names are those of counters; what they sum up is there by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** The registry of one service, with Node's own metrics in it. @param stream a label of every series */
export function createRegistry(stream: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ stream });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

@Module({
  imports: [PipelineModule, HaModule, ConnectionsModule],
  providers: [
    {
      provide: Registry,
      useFactory: ({ settings }: ServiceConfiguration) => createRegistry(settings.stream),
      inject: [ServiceConfiguration],
    },
    PipelineMetrics,
    RedisMetrics,
    StreamMetrics,
    RetentionMetrics,
  ],
  exports: [Registry, StreamMetrics],
})
class MeasuresModule {}

// The controller lives in the library's module, so what it shows is imported there. Node's own metrics are in the registry already: one registry
// for each service, and not one for the process.
const PROMETHEUS = {
  ...PrometheusModule.register({ controller: MetricsController, defaultMetrics: { enabled: false } }),
  imports: [MeasuresModule],
};

@Module({ imports: [PROMETHEUS] })
export class MetricsModule {}
