import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import { loadConfiguration } from '../../src/config/load';
import type { Clock } from '../../src/event/clock';
import { startService, type Service } from '../../src/lifecycle';

export interface TestServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The observers file; without it nothing is observed. */
  readonly file?: string;
  readonly clock?: Clock;
}

/** The whole service in this process, as `start --apply` runs it, on any free port. */
export async function startTestService(url: string, { env = {}, file, clock }: TestServiceOptions = {}): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-service-'));
  const configFile = join(folder, 'observers.yaml');
  writeFileSync(configFile, file ?? 'version: 1\nobservers: []\n');
  const configuration = loadConfiguration({ env: { DATABASE_URL: url, OBSERVERS_PORT: '0', ...env }, configFile });
  rmSync(folder, { recursive: true });
  return startService({
    configuration,
    custom: NO_CUSTOM_ACTIONS,
    logger: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    applyCapture: true,
    strict: false,
    ...(clock === undefined ? {} : { clock }),
    onFatal: (error) => { throw error; }, // prettier-ignore
  });
}
