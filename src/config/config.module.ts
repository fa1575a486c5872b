import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigVersions } from './config-versions.service';
import { RunningConfiguration } from './running-configuration';
import { ServiceConfiguration } from './service-configuration';
import { ServiceSettings } from './service-settings';
import { VersionDiffs } from './version-diffs.service';

@Module({ providers: [ConfigVersions], exports: [ConfigVersions] })
export class ConfigModule {
  /** Global: every feature of the service has settings. */
  static of(configuration: ServiceConfiguration): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [
        { provide: ServiceConfiguration, useValue: configuration },
        { provide: ServiceSettings, useValue: new ServiceSettings(configuration.settings) },
        RunningConfiguration,
        VersionDiffs,
      ],
      exports: [ServiceConfiguration, ServiceSettings, RunningConfiguration, VersionDiffs],
    };
  }
}
