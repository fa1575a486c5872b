import { Module, type DynamicModule } from '@nestjs/common';
import { Tracing } from './tracing';

@Module({})
export class TracingModule {
  /** @param tracing loaded by who starts the service: the SDK takes 0.1 s and 15 MB, and only where traces are asked for */
  static of(tracing: Tracing): DynamicModule {
    return { module: TracingModule, global: true, providers: [{ provide: Tracing, useValue: tracing }], exports: [Tracing] };
  }
}
