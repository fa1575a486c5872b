import { Command, Option } from 'nest-commander';
import { loadInputOf, ObserversCommand, runnableConfigurationOf, type GlobalOptions } from './command';

interface StartFlags extends GlobalOptions {
  readonly demo?: boolean;
  readonly apply?: boolean;
  readonly strict?: boolean;
}

@Command({ name: 'start', description: 'run the service: read the stream, deliver, serve the probes' })
export class StartCommand extends ObserversCommand {
  protected readonly examples = [
    ['with the observers file of this folder', 'start'],
    ['with the triggers brought to what the file says', 'start --apply --config observers.yaml'],
    ['a demonstration that needs nothing', 'start --demo'],
  ] as const;

  @Option({ flags: '--demo', description: 'embedded PostgreSQL, a demo schema and a receiver; shows one delivery, then goes on' })
  parseDemo(): boolean {
    return true;
  }

  @Option({ flags: '--apply', description: 'bring the capture triggers to what the file says, then start' })
  parseApply(): boolean {
    return true;
  }

  @Option({ flags: '--strict', description: 'refuse to start when the capture triggers differ from the file' })
  parseStrict(): boolean {
    return true;
  }

  @Option({ flags: '--log-level <level>', description: 'what is logged: trace, debug, info, warn, error, silent; stronger than OBSERVERS_LOG_LEVEL' }) // prettier-ignore
  parseLogLevel(value: string): string {
    return value;
  }

  async run(_args: string[], flags: StartFlags): Promise<void> {
    if (flags.demo) {
      const { runDemo } = await import('../demo/demo');
      await runDemo(flags.logLevel === undefined ? process.env : { ...process.env, OBSERVERS_LOG_LEVEL: flags.logLevel });
      return;
    }
    const { runUntilSignal } = await import('../lifecycle/run-until-signal');
    const { createLogger } = await import('../logging/logger');
    const { startService } = await import('../lifecycle/start-service');
    const { observersSource } = await import('../config/load');
    const { configuration, custom } = await runnableConfigurationOf(flags);
    const source = observersSource({ ...loadInputOf(flags), custom });
    const { settings } = configuration;
    const logger = createLogger(settings.logLevel, settings.logFormat);
    const { apply: applyCapture = false, strict = false } = flags;
    const options = { configuration, source, custom, logger, applyCapture, strict };
    await runUntilSignal(logger, async (onFatal) => {
      const service = await startService({ ...options, onFatal });
      return { stop: () => service.stop(), reload: () => service.reloader.reload('SIGHUP') };
    });
  }
}
