import { userInfo } from 'node:os';
import { Command, CommandRunner, Option, SubCommand } from 'nest-commander';
import type { Client } from 'pg';
import type { DeadLetterDetails, RetryResult } from '../delivery/dead-letters.sql';
import { ExitCode, OperatorError } from '../event/errors';
import { ObserversCommand, type GlobalOptions } from './command';
import { withDatabase } from './database';
import { colors, cut, print, printJson, printTable } from './output';

async function onDatabase<T>(flags: GlobalOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const { loadSettings } = await import('../config/load');
  const settings = loadSettings({ env: process.env, ...(flags.config === undefined ? {} : { configFile: flags.config }) });
  return withDatabase(settings, work);
}

function idFrom([id]: string[]): string {
  if (id !== undefined && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)) return id;
  throw new OperatorError(
    id === undefined ? 'no item named' : `"${id}" is not the id of an item`,
    'Ids are shown by: fraiseql-observers dlq list',
    ExitCode.error,
  );
}

function notFound(id: string): OperatorError {
  return new OperatorError(
    `there is no item ${id} in the dead letter queue`,
    'What there is: fraiseql-observers dlq list',
    ExitCode.notFound,
  );
}

interface ListFlags extends GlobalOptions {
  readonly observer?: string;
  readonly error?: string;
  readonly limit?: number;
  readonly offset?: number;
}

@SubCommand({ name: 'list', description: 'what could not be delivered, newest first' })
class DlqListCommand extends ObserversCommand {
  @Option({ flags: '--observer <name>', description: 'only this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--error <kind>', description: 'only this kind of error' })
  parseError(value: string): string {
    return value;
  }

  @Option({ flags: '--limit <count>', description: 'at most so many (default 50)' })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  @Option({ flags: '--offset <count>', description: 'skip so many' })
  parseOffset(value: string): number {
    return wholeNumber('--offset', value);
  }

  async run(_args: string[], flags: ListFlags): Promise<void> {
    const { listDeadLetters } = await import('../delivery/dead-letters.sql');
    const filter = { observer: flags.observer ?? null, error: flags.error ?? null, limit: flags.limit ?? 50, offset: flags.offset ?? 0 };
    const items = await onDatabase(flags, (client) => listDeadLetters(client, filter));
    if (flags.format === 'json') return printJson(items);
    if (items.length === 0) return print(colors.green('the dead letter queue is empty'));
    printTable(
      ['id', 'died', 'observer/action', 'entity', 'error', 'tries', 'message'],
      items.map((item) => [
        item.id,
        item.diedAt.slice(0, 19).replace('T', ' '),
        item.observer === null ? 'quarantine' : `${item.observer}/${item.action}`,
        `${item.entityType} ${item.entityKey ?? ''}`,
        item.status === null ? item.error : `${item.error} ${item.status}`,
        item.attempts,
        cut(item.message, 60),
      ]),
    );
    print(`\nOne in full: dlq show ID     once more: dlq retry ID`);
  }
}

@SubCommand({ name: 'show', arguments: '<id>', description: 'one item: the event, every try, what people did to it' })
class DlqShowCommand extends ObserversCommand {
  async run(args: string[], flags: GlobalOptions): Promise<void> {
    const { showDeadLetter } = await import('../delivery/dead-letters.sql');
    const id = idFrom(args);
    const item = await onDatabase(flags, (client) => showDeadLetter(client, id));
    if (item === null) throw notFound(id);
    if (flags.format === 'json') return printJson(item);
    for (const [label, value] of describe(item)) print(`${colors.dim(label.padEnd(10))} ${value}`);
    if (item.tries.length > 0) {
      print('');
      printTable(
        ['try', 'at', 'outcome', 'took', 'status', 'error'],
        item.tries.map(({ attempt, at, outcome, durationMs, status, error, message }) => [
          attempt, at.slice(0, 23).replace('T', ' '), outcome, `${Math.round(durationMs)} ms`, status, error === null ? '' : `${error}: ${message}`,
        ]), // prettier-ignore
      );
    }
    for (const { at, what, who, detail } of item.history)
      print(`${colors.dim(at.slice(0, 19).replace('T', ' '))} ${what} (${who})${detail === null ? '' : `: ${detail}`}`);
  }
}

@SubCommand({ name: 'retry', arguments: '<id>', description: 'try one item once more, and say what came of it' })
class DlqRetryCommand extends ObserversCommand {
  async run(args: string[], flags: GlobalOptions): Promise<void> {
    const { requestRetry } = await import('../delivery/dead-letters.sql');
    const id = idFrom(args);
    const answer = await onDatabase(flags, async (client) => {
      const request = await requestRetry(client, id, userInfo().username);
      if (request === 'not found') throw notFound(id);
      return { request, result: await outcome(client, id) };
    });
    if (flags.format === 'json') printJson({ id, ...answer, result: answer.result ?? null });
    else print(sentence(answer.request, answer.result));
    if (answer.result?.delivered === false) process.exitCode = ExitCode.error;
  }
}

const WAIT = 30_000;
const LOOK_EVERY = 200;

/** The service makes the try; its result is looked for until it is there, or nobody can be expected to make it. */
async function outcome(client: Client, id: string): Promise<RetryResult> {
  const { retryResult } = await import('../delivery/dead-letters.sql');
  const { rows } = await client.query('select 1 from observers.lease where expires_at > clock_timestamp() limit 1');
  if (rows.length === 0) return undefined;
  for (const until = Date.now() + WAIT; Date.now() < until;) {
    const result = await retryResult(client, id);
    if (result !== undefined) return result;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  return undefined;
}

function sentence(request: string, result: RetryResult): string {
  if (result === undefined)
    return `${request === 'queued' ? 'queued' : 'already queued'}: it is tried as soon as a service leads the stream (see: status)`;
  if (!result.delivered) return `${colors.red('failed again')}: ${result.message}`;
  return `${colors.green('delivered')}${result.message === null ? '' : `: ${result.message}`}`;
}

function describe(item: DeadLetterDetails): [string, string][] {
  return [
    ['id', item.id],
    ['change', `${item.changeNumber} of ${item.entityType} ${item.entityKey ?? ''}`],
    ['delivery', item.observer === null ? 'none: the change was quarantined' : `${item.observer}/${item.action} to ${item.endpoint}`],
    ['error', item.status === null ? item.error : `${item.error} ${item.status}`],
    ['message', item.message],
    ['answer', item.response ?? '–'],
    ['resolved', item.resolvedAt === null ? 'no' : `${item.resolution} at ${item.resolvedAt}`],
    ['data', cut(JSON.stringify(item.data), 400)],
  ];
}

function wholeNumber(flag: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new OperatorError(`${flag} takes a whole number, not "${value}"`, `For example: ${flag} 20`, ExitCode.error);
}

const SUB_COMMANDS = [DlqListCommand, DlqShowCommand, DlqRetryCommand];

// Without options of its own: it would swallow those of its subcommands.
@Command({ name: 'dlq', description: 'the dead letter queue', subCommands: SUB_COMMANDS })
export class DlqCommand extends CommandRunner {
  static readonly subCommands = SUB_COMMANDS;

  run(): Promise<void> {
    this.command.help();
  }
}
