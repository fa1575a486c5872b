import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { ConsoleLogger, Module, type DynamicModule, type Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, NestFactory } from '@nestjs/core';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { CUSTOM_ACTION, type CustomActionHandler } from './custom-action';
import { CustomActions, NO_CUSTOM_ACTIONS } from './custom-actions';

// Without colours: only ours are let through to a terminal.
const NEST_LOG = new ConsoleLogger({ logLevels: ['error', 'warn'], colors: false });

@Module({ imports: [DiscoveryModule] })
class CustomActionsModule {}

/**
 * The action types of the modules in these files, made by Nest with all that they depend on.
 *
 * @throws OperatorError when a file cannot be loaded, holds no module, or two types have the same name
 */
export async function loadCustomActions(files: readonly string[]): Promise<CustomActions> {
  if (files.length === 0) return NO_CUSTOM_ACTIONS;
  const imports = files.flatMap(modulesIn);
  try {
    const root: DynamicModule = { module: CustomActionsModule, imports };
    const context = await NestFactory.createApplicationContext(root, { logger: NEST_LOG, abortOnError: false });
    return customActionsIn(context.get(DiscoveryService), () => context.close());
  } catch (error) {
    throw error instanceof OperatorError
      ? error
      : refusal(`the modules of ${files.join(', ')} cannot be started: ${messageOf(error)}`, error);
  }
}

function modulesIn(file: string): (Type | DynamicModule)[] {
  const path = resolve(file);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = createRequire(path)(path) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refusal(`the module ${file} cannot be loaded: ${messageOf(error)}`, error);
  }
  const modules = [...new Set(Object.values(exported))].filter(isModule);
  if (modules.length === 0) throw refusal(`${file} exports no Nest module: export a class with @Module({ providers: [ … ] })`);
  return modules;
}

function isModule(value: unknown): value is Type | DynamicModule {
  if (typeof value === 'object' && value !== null) return typeof (value as { module?: unknown }).module === 'function';
  return typeof value === 'function' && ['providers', 'imports'].some((key) => Reflect.hasMetadata(key, value));
}

/** The action types among the providers of a container. @throws OperatorError when two have the same name, or one is none */
export function customActionsIn(discovery: DiscoveryService, close: () => Promise<void>): CustomActions {
  return new CustomActions(handlersIn(discovery), close);
}

function handlersIn(discovery: DiscoveryService): Map<string, CustomActionHandler> {
  const handlers = new Map<string, CustomActionHandler>();
  for (const { metatype, instance } of discovery.getProviders()) {
    const name: unknown = metatype ? Reflect.getMetadata(CUSTOM_ACTION, metatype) : undefined;
    if (typeof name !== 'string') continue;
    const handler = instance as Partial<CustomActionHandler> | undefined;
    if (typeof handler?.prepare !== 'function') throw refusal(`the custom action ${name} has no method prepare`);
    if (handlers.has(name) && handlers.get(name) !== handler) throw refusal(`two custom actions are named ${name}`);
    handlers.set(name, handler as CustomActionHandler);
  }
  return handlers;
}

function refusal(message: string, cause?: unknown): OperatorError {
  return new OperatorError(message, 'Correct OBSERVERS_MODULES, or the module.', ExitCode.configuration, { cause });
}
