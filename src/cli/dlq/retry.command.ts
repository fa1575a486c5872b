import { Option, SubCommand } from 'nest-commander';
import type { ConfigChoice, RetryEnd, RetryRequest } from '../../redrive/dead-letters.service';
import { ExitCode } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { colors, print, printJson } from '../output';
import { idFrom, notFound, operator } from './item';
import { CONFIG_CHOICE } from './set-options';

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
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters, usedConfiguration } = await import('../../redrive/dead-letters.service');
    const id = idFrom(args);
    const config = flags.configVersion ?? 'current';
    const { request, result } = await onServices(flags, [RedriveModule], async (get) => {
      const letters = get(DeadLetters);
      const made = await letters.retry(id, config, operator());
      if (made === 'unknown') throw notFound(id);
      return { request: made, result: made === 'resolved' ? undefined : resultOf(await letters.endOf(id, WAIT)) };
    });
    if (flags.format === 'json') printJson({ id, request, configVersion: config, result: result ?? null });
    else print(sentence(request, result, ` (${usedConfiguration(config)})`));
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

function sentence(request: RetryRequest, result: RetryResult | undefined, used: string): string {
  if (request === 'resolved') return 'nothing to do: it has left the dead letter queue already (dlq show says how)';
  if (result === undefined)
    return `${request === 'queued' ? 'queued' : 'already queued'}: it is tried as soon as a service leads the stream (see: status)${request === 'queued' ? used : ''}`;
  if (!result.delivered) return `${colors.red('failed again')}${used}: ${result.message}`;
  return `${colors.green('delivered')}${used}${result.message === null ? '' : `: ${result.message}`}`;
}
