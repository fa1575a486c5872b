import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import { observersSource } from '../../src/config/load';
import type { Clock } from '../../src/event/clock';
import { startService, type Service } from '../../src/lifecycle';
import type { DriftOptions } from '../../src/listener/capture/drift';

export interface TestServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The observers file; without it nothing is observed. */
  readonly file?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Without: as `start --apply`. */
  readonly drift?: Pick<DriftOptions, 'applyCapture' | 'strict'>;
}

export interface TestService extends Service {
  /** Puts another text in the observers file. */
  rewrite(text: string): void;
}

/** The whole service in this process, as `start --apply` runs it, on any free port. */
export async function startTestService(
  url: string,
  { env = {}, file, clock, logger, drift }: TestServiceOptions = {},
): Promise<TestService> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-service-'));
  const configFile = join(folder, 'observers.yaml');
  writeFileSync(configFile, file ?? 'version: 1\nobservers: []\n');
  const input = { env: { DATABASE_URL: url, OBSERVERS_PORT: '0', ...env }, configFile };
  const source = observersSource(input);
  const service = await startService({
    configuration: source.load(),
    source,
    custom: NO_CUSTOM_ACTIONS,
    logger: logger ?? pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    ...(drift ?? { applyCapture: true, strict: false }),
    ...(clock === undefined ? {} : { clock }),
    onFatal: (error) => { throw error; }, // prettier-ignore
  });
  const rewrite = (text: string): void => writeFileSync(configFile, text);
  return { ...service, rewrite, stop: () => service.stop().then(() => rmSync(folder, { recursive: true, force: true })) };
}
