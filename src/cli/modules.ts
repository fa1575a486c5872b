import type { Type } from '@nestjs/common';
import type { Client } from 'pg';
import type { Settings } from '../config/settings';
import { inPlainWords } from '../database/plain-words';
import { ExitCode, OperatorError } from '../event/errors';
import { loadInputOf, type GlobalOptions } from './command';
import type { Get } from './context';

export type { Get } from './context';

/**
 * Works on the service's database: DATABASE_URL, or the embedded PostgreSQL of the data folder while a service runs it.
 *
 * @throws OperatorError when neither answers, or the schema is not that of this release
 */
export function withDatabase<T>(settings: Settings, work: (client: Client) => Promise<T>): Promise<T> {
  return withAnyDatabase(settings, async (client) => {
    const { requireSchema } = await import('../database/schema-state');
    await requireSchema(client);
    return work(client);
  });
}

/** The same, also where nothing of ours is in it, or what another release has made. */
export async function withAnyDatabase<T>(settings: Settings, work: (client: Client) => Promise<T>): Promise<T> {
  const { connect } = await import('../database/postgres');
  const client = await connect(await databaseUrl(settings), 'cli');
  try {
    return await work(client);
  } catch (error) {
    throw await explained(client, error);
  } finally {
    await client.end();
  }
}

async function explained(client: Client, error: unknown): Promise<unknown> {
  const { explainRefusal, NOT_ALLOWED } = await import('../database/grants');
  return (error as { code?: string }).code === NOT_ALLOWED ? explainRefusal(client, error) : inPlainWords(error);
}

export async function databaseUrl(settings: Settings): Promise<string> {
  if (settings.databaseUrl !== null) return settings.databaseUrl;
  const { runningEmbeddedUrl } = await import('../database/embedded/embedded-postgres');
  const url = await runningEmbeddedUrl(settings.dataDir);
  if (url !== null) return url;
  const remedy = 'Set DATABASE_URL, or start the service first (fraiseql-observers start), which runs the embedded PostgreSQL.';
  throw new OperatorError(
    `no database: DATABASE_URL is not set, and no embedded PostgreSQL runs in ${settings.dataDir}`,
    remedy,
    ExitCode.connection,
  );
}

/** The same, for commands that need no observers file but its settings. */
export async function onDatabase<T>(flags: GlobalOptions, work: (client: Client, settings: Settings) => Promise<T>): Promise<T> {
  const { loadSettings } = await import('../config/load');
  const settings = loadSettings(loadInputOf(flags));
  return withDatabase(settings, (client) => work(client, settings));
}

/**
 * Works with the services of these modules, on the service's database. They are all that is loaded: a command starts in a moment.
 *
 * @param work its client is the connection that the services use
 * @throws OperatorError as withDatabase does
 */
export function withServices<T>(settings: Settings, modules: readonly Type[], work: (get: Get, client: Client) => Promise<T>): Promise<T> {
  return withDatabase(settings, async (client) => work(await servicesOn(client, settings, modules), client));
}

/** The same, for commands that need no observers file but its settings. */
export function onServices<T>(
  flags: GlobalOptions,
  modules: readonly Type[],
  work: (get: Get, settings: Settings) => Promise<T>,
): Promise<T> {
  return onDatabase(flags, async (client, settings) => work(await servicesOn(client, settings, modules), settings));
}

async function servicesOn(client: Client, settings: Settings, modules: readonly Type[]): Promise<Get> {
  const { openContext } = await import('./context');
  return openContext(client, settings, modules);
}
