import { Module, type Abstract, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Client } from 'pg';
import { ServiceSettings } from '../config/service-settings';
import type { Settings } from '../config/settings';
import { Database, OneConnection } from '../database/database';
import { Clock, SystemClock } from '../event/clock';

/** One of the services of the modules that a command named. */
export type Get = <S>(service: Type<S> | Abstract<S>) => S;

/** What the modules that a command named have in common. */
@Module({})
class CommandModule {
  static of(database: Database, settings: ServiceSettings, modules: readonly Type[]): DynamicModule {
    return {
      module: CommandModule,
      global: true,
      imports: [...modules],
      providers: [
        { provide: Database, useValue: database },
        { provide: Clock, useClass: SystemClock },
        { provide: ServiceSettings, useValue: settings },
      ],
      exports: [Database, Clock, ServiceSettings],
    };
  }
}

/** Nothing of it needs an end: the connection is the caller's. */
export async function openContext(client: Client, settings: Settings, modules: readonly Type[]): Promise<Get> {
  const module = CommandModule.of(new OneConnection(client), new ServiceSettings(settings), modules);
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  return (service) => context.get(service, { strict: false });
}
