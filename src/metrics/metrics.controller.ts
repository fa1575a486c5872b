import { Controller, Get, Header } from '@nestjs/common';
import { Registry } from 'prom-client';
import { StreamMetrics } from './stream-metrics';

@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly registry: Registry,
    private readonly stream: StreamMetrics,
  ) {}

  @Get()
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  async metrics(): Promise<string> {
    await this.stream.update();
    return this.registry.metrics();
  }
}
