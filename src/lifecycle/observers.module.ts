import {
  type DynamicModule,
  type FactoryProvider,
  Inject,
  Injectable,
  Logger as NestLog,
  type LoggerService,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import type { Logger } from 'pino';
import { customActionsIn } from '../actions/custom/load-modules';
import { observersSource } from '../config/load';
import { didYouMean } from '../config/problems';
import { SETTINGS } from '../config/settings';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { createLogger } from '../logging/logger';
import type { Reloaded } from '../reload/reloaded';
import { startService, type Service } from './start-service';

const ROLES = ['listener', 'worker', 'admin'] as const;

/** How another Nest application runs the service inside itself. */
export interface ObserversOptions {
  /** Path of the observers file; without it and without `configuration`: observers.yaml, or what OBSERVERS_CONFIG names. */
  readonly configFile?: string;
  /** The observers file itself, as text or as an object. */
  readonly configuration?: string | object;
  /** Without it: DATABASE_URL, or an embedded PostgreSQL for trying out. */
  readonly databaseUrl?: string;
  /** What this process does. One process does all of it today: a part of the list is refused. */
  readonly roles?: readonly (typeof ROLES)[number][];
  /** Other settings by their variable, such as `{ OBSERVERS_PORT: '0' }`; stronger than the environment. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the capture triggers differ from the file: say so (default), bring them to what it says, or refuse to start. */
  readonly capture?: 'warn' | 'apply' | 'strict';
  /** A pino logger; without it lines go to stdout as the settings say. */
  readonly logger?: Logger;
  /** Called when the service cannot go on without a person. Without it that is logged, and the service is stopped. */
  readonly onFatal?: (error: unknown) => void;
}

/** Options that other providers of the application make. */
export interface AsyncObserversOptions extends Pick<
  FactoryProvider<ObserversOptions | Promise<ObserversOptions>>,
  'inject' | 'useFactory'
> {
  readonly imports?: DynamicModule['imports'];
}

const OPTIONS = Symbol('options of ObserversModule');

/** Nest has one logger for a process: making the service's container would take the application's away. */
class NestLogger extends NestLog {
  static get current(): LoggerService | undefined {
    return NestLogger.staticInstanceRef;
  }
}

/** The service within another application: it has a container, a port and a log of its own, and starts and stops with the application. */
@Injectable()
export class Observers implements OnApplicationBootstrap, OnModuleDestroy {
  private service: Service | null = null;

  constructor(
    @Inject(OPTIONS) private readonly options: ObserversOptions,
    private readonly discovery: DiscoveryService,
  ) {}

  /** Where its API and its probes answer, `host:port`; null while it does not run. */
  get address(): string | null {
    return this.service?.address ?? null;
  }

  /** Loads the observers file again. @throws what is wrong with it; then all goes on as it was */
  reload(): Promise<Reloaded> {
    if (this.service === null) throw new Error('the observers do not run');
    return this.service.reloader.reload('the application');
  }

  /** Once every provider stands: custom actions are found among them. @throws OperatorError for everything that a person can mend */
  async onApplicationBootstrap(): Promise<void> {
    const { roles, capture = 'warn' } = this.options;
    requireAllRoles(roles);
    const custom = customActionsIn(this.discovery, () => Promise.resolve());
    const source = observersSource({ ...inputOf(this.options), custom });
    const configuration = source.load();
    const { settings } = configuration;
    const logger = this.options.logger ?? createLogger(settings.logLevel, settings.logFormat);
    const onFatal = this.options.onFatal ?? ((error: unknown) => this.end(logger, error));
    const drift = { applyCapture: capture === 'apply', strict: capture === 'strict' };
    const before = NestLogger.current;
    try {
      this.service = await startService({ configuration, source, custom, logger, ...drift, onFatal });
    } finally {
      NestLog.overrideLogger(before ?? false);
    }
  }

  /** First of all hooks of an application's end: what actions use still stands. Close that in onApplicationShutdown. */
  async onModuleDestroy(): Promise<void> {
    const { service } = this;
    this.service = null;
    await service?.stop();
  }

  private end(logger: Logger, error: unknown): void {
    logger.fatal({ err: messageOf(error) }, 'the service cannot go on, and is stopped');
    void this.onModuleDestroy();
  }
}

function inputOf({ configFile, configuration, databaseUrl, settings = {} }: ObserversOptions): Parameters<typeof observersSource>[0] {
  requireKnown(Object.keys(settings));
  const flags = databaseUrl === undefined ? settings : { ...settings, DATABASE_URL: databaseUrl };
  const file = configFile === undefined ? {} : { configFile };
  if (configuration === undefined) return { env: process.env, flags, ...file };
  if (configFile !== undefined) throw refusal('ObserversModule was given both configFile and configuration', 'Give one of them.');
  return { env: process.env, flags, text: typeof configuration === 'string' ? configuration : JSON.stringify(configuration) };
}

function requireKnown(variables: readonly string[]): void {
  const known = Object.values(SETTINGS).map(({ variable }) => variable);
  const unknown = variables.find((variable) => !known.includes(variable));
  if (unknown === undefined) return;
  throw refusal(
    `settings of ObserversModule: there is no "${unknown}"${didYouMean(unknown, known)}`,
    'What there is: docs/configuration.md',
  );
}

function requireAllRoles(roles: ObserversOptions['roles']): void {
  if (roles === undefined || ROLES.every((role) => roles.includes(role))) return;
  throw refusal(`one process cannot be ${roles.join(' and ')} alone yet`, `Leave roles out, or name all: ${ROLES.join(', ')}.`);
}

function refusal(message: string, remedy: string): OperatorError {
  return new OperatorError(message, remedy, ExitCode.configuration);
}

/**
 * Runs the service within another Nest application. Providers of the application with `@CustomAction('name')` are types of actions.
 *
 *   @Module({ imports: [ObserversModule.forRoot({ configFile: 'observers.yaml' })], providers: [Ship] })
 */
@Module({})
export class ObserversModule {
  static forRoot(options: ObserversOptions): DynamicModule {
    return ObserversModule.of([{ provide: OPTIONS, useValue: options }]);
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: AsyncObserversOptions): DynamicModule {
    return ObserversModule.of([{ provide: OPTIONS, inject, useFactory }], imports);
  }

  private static of(
    providers: NonNullable<DynamicModule['providers']>,
    imports: NonNullable<DynamicModule['imports']> = [],
  ): DynamicModule {
    return { module: ObserversModule, imports: [DiscoveryModule, ...imports], providers: [...providers, Observers], exports: [Observers] };
  }
}
