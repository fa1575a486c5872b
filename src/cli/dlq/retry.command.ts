import { Option, SubCommand } from 'nest-commander';
import type { RetryEnd } from '../../redrive/await-retry';
import { usedConfiguration } from '../../redrive/config-choice';
import type { ConfigChoice } from '../../redrive/redrive.sql';
import { ExitCode } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onDatabase } from '../modules';
import { colors, print, printJson } from '../output';
import { CONFIG_CHOICE } from './config-choice';
import { idFrom, notFound, operator } from './item';

interface RetryFlags extends GlobalOptions {
  readonly configVersion?: ConfigChoice;
}

@SubCommand({ name: 'retry', arguments: '<id>', description: 'try one item once more, and say what came of it' })
export class DlqRetryCommand extends ObserversCommand {
  protected readonly examples = [
    ['one item, and what came of it', 'dlq retry 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d'],
    ['for a script', 'dlq retry 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d --format json'],
  ] as const;

  @Option(CONFIG_CHOICE)
  parseConfigVersion(value: string): string {
    return value;
  }

  async run(args: string[], flags: RetryFlags): Promise<void> {
    const { requestRetries } = await import('../../redrive/redrive.sql');
    const { awaitRetry } = await import('../../redrive/await-retry');
    const id = idFrom(args);
    const config = flags.configVersion ?? 'current';
    const answer = await onDatabase(flags, async (client) => {
      const done = await requestRetries(client, { ids: [id], who: operator(), detail: usedConfiguration(config), config, snapshot: null });
      if (done.unknown.length > 0) throw notFound(id);
      const request = done.queued.length > 0 ? 'queued' : done.left.length > 0 ? 'resolved' : 'already under way';
      return { request, result: request === 'resolved' ? undefined : resultOf(await awaitRetry(client, id, WAIT)) };
    });
    const { request, result } = answer;
    if (flags.format === 'json') printJson({ id, request, configVersion: config, result: result ?? null });
    else print(sentence(request, result, config));
    if (result?.delivered === false) process.exitCode = ExitCode.error;
  }
}

interface RetryResult {
  readonly delivered: boolean;
  readonly message: string | null;
}

const WAIT = 30_000;

function resultOf(end: RetryEnd): RetryResult | undefined {
  return end.is === 'delivered' || end.is === 'failed' ? { delivered: end.is === 'delivered', message: end.message } : undefined;
}

function sentence(request: string, result: RetryResult | undefined, config: ConfigChoice): string {
  if (request === 'resolved') return 'nothing to do: it has left the dead letter queue already (dlq show says how)';
  const used = ` (${usedConfiguration(config)})`;
  if (result === undefined)
    return `${request === 'queued' ? 'queued' : 'already queued'}: it is tried as soon as a service leads the stream (see: status)${request === 'queued' ? used : ''}`;
  if (!result.delivered) return `${colors.red('failed again')}${used}: ${result.message}`;
  return `${colors.green('delivered')}${used}${result.message === null ? '' : `: ${result.message}`}`;
}
