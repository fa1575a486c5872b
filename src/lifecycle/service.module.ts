import { Module, type DynamicModule } from '@nestjs/common';
import { AppModule, type ServiceInput } from '../app.module';
import { ConnectionsModule } from '../connections/connections.module';
import { HaModule } from '../ha/ha.module';
import { ReloadModule } from '../reload/reload.module';
import { LifecycleService } from './lifecycle.service';

/** The service with its start and stop. */
@Module({})
export class ServiceModule {
  static of(input: ServiceInput): DynamicModule {
    return {
      module: ServiceModule,
      imports: [AppModule.of(input), ConnectionsModule, HaModule, ReloadModule],
      providers: [LifecycleService],
    };
  }
}
