import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import { observersSource, type LoadedConfiguration } from '../../src/config/load';
import { runMigrations } from '../../src/database/migrator';
import { connect } from '../../src/database/postgres';
import type { Clock } from '../../src/event/clock';
import { startService, type Service } from '../../src/lifecycle/start-service';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import type { DriftOptions } from '../../src/change-log/capture/drift';
import { asServiceRole } from './roles';

export interface TestServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The observers file; without it nothing is observed. */
  readonly file?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** As the role of the URL. Without: as a member of observers_service, the tables being captured before. */
  readonly drift?: Pick<DriftOptions, 'applyCapture' | 'strict'>;
}

/** `start --apply`, which needs the tables' owner: where a test reloads a file with another `capture:`. */
export const AS_OWNER = { applyCapture: true, strict: false };

export interface TestService extends Service {
  /** Puts another text in the observers file. */
  rewrite(text: string): void;
}

/** The whole service in this process, on any free port. */
export async function startTestService(
  url: string,
  { env = {}, file, clock, logger, drift }: TestServiceOptions = {},
): Promise<TestService> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-service-'));
  const configFile = join(folder, 'observers.yaml');
  writeFileSync(configFile, file ?? 'version: 1\nobservers: []\n');
  const input = {
    env: { DATABASE_URL: drift === undefined ? asServiceRole(url) : url, OBSERVERS_PORT: '0', OBSERVERS_DATA_DIR: folder, ...env },
    configFile,
  };
  const source = observersSource(input);
  const configuration = source.load();
  if (drift === undefined) await capture(url, configuration);
  const service = await startService({
    configuration,
    source,
    custom: NO_CUSTOM_ACTIONS,
    logger: logger ?? pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    ...(drift ?? { applyCapture: false, strict: false }),
    ...(clock === undefined ? {} : { clock }),
    onFatal: (error) => { throw error; }, // prettier-ignore
  });
  const rewrite = (text: string): void => writeFileSync(configFile, text);
  return { ...service, rewrite, stop: () => service.stop().then(() => rmSync(folder, { recursive: true, force: true })) };
}

/** As `migrate` and `capture apply` in a deployment, by the owner of the tables. */
async function capture(url: string, { file }: LoadedConfiguration): Promise<void> {
  if (file.definition.captures.length === 0) return;
  await runMigrations(url);
  const client = await connect(url, 'test');
  try {
    await applyCapture(client, await planCapture(client, file.definition.captures));
  } finally {
    await client.end();
  }
}
