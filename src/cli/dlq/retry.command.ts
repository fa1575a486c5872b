import { Option, SubCommand } from 'nest-commander';
import type { ConfigChoice, RetryEnd, RetryRequest } from '../../redrive/dead-letters.service';
import { ExitCode } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { BREAK, colors, print, printJson } from '../output';
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
    const { request, end } = await onServices(flags, [RedriveModule], async (get) => {
      const letters = get(DeadLetters);
      const made = await letters.retry(id, config, operator());
      if (made === 'unknown') throw notFound(id);
      return { request: made, end: made === 'resolved' ? null : await letters.endOf(id, WAIT) };
    });
    const result = end === null ? null : resultOf(end);
    if (flags.format === 'json') printJson({ id, request, configVersion: config, state: stateOf(end), result });
    else print(sentence(id, request, end, ` (${usedConfiguration(config)})`));
    if (result?.delivered === false) process.exitCode = ExitCode.error;
  }
}

interface RetryResult {
  readonly delivered: boolean;
  readonly message: string | null;
}

const WAIT = 30_000;

function resultOf(end: RetryEnd): RetryResult | null {
  return end.is === 'delivered' || end.is === 'failed' ? { delivered: end.is === 'delivered', message: end.message } : null;
}

function stateOf(end: RetryEnd | null): string {
  return end === null ? 'resolved before' : end.is === 'failed' ? 'failed again' : end.is === 'not led' ? 'waits for a service that leads' : end.is === 'held' ? 'waits for its endpoint' : end.is; // prettier-ignore
}

function sentence(id: string, request: RetryRequest, end: RetryEnd | null, used: string): string {
  if (end === null) return 'nothing to do: it has left the dead letter queue already (dlq show says how)';
  const asked = request === 'queued' ? `queued${used}` : 'already queued';
  const takeBack = `${BREAK}To take it back: fraiseql-observers dlq cancel ${id}`;
  switch (end.is) {
    case 'delivered':
      return `${colors.green('delivered')}${used}${end.message === null ? '' : `: ${end.message}`}`;
    case 'failed':
      return `${colors.red('failed again')}${used}: ${end.message}`;
    case 'taken back':
      return 'taken back before it was tried (dlq show says by whom)';
    case 'not led':
      return `${asked}: it is tried as soon as a service leads the stream (see: status)${takeBack}`;
    case 'held':
      return `${asked}: the circuit breaker of ${end.endpoint.name} is ${end.endpoint.state}; it waits for its turn${takeBack}`;
    case 'under way':
      return `${asked}, and without an end after ${WAIT / 1_000} s (see: dlq show)${takeBack}`;
  }
}
