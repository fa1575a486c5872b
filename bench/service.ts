import { NO_CUSTOM_ACTIONS } from '../src/actions/custom/custom-actions';
import { observersSource } from '../src/config/load';
import { startService } from '../src/lifecycle/start-service';
import { createLogger } from '../src/logging/logger';

/** Child process: the service as `start --apply` runs it, which tells what it has used when asked. */
async function main(): Promise<void> {
  const source = observersSource({ env: process.env, configFile: process.argv[2] ?? '' });
  const configuration = source.load();
  const logger = createLogger(configuration.settings.logLevel, configuration.settings.logFormat);
  const onFatal = (error: unknown): never => {
    throw error;
  };
  await startService({ configuration, source, custom: NO_CUSTOM_ACTIONS, logger, applyCapture: true, strict: false, onFatal });
  process.send?.({ started: true });
}

process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.resourceUsage().maxRSS * 1024 }));
void main();
