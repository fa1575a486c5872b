import { Command, Option, SubCommand } from 'nest-commander';
import type { RecordedOperation } from '../status/operations.service';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { shortTime } from './dlq/item';
import { onServices } from './modules';
import { BREAK, colors, cut, print, printJson, printTable } from './output';
import { parseMoment, wholeNumber } from './values';

interface OperationFlags extends GlobalOptions {
  readonly who?: string;
  readonly what?: string;
  readonly since?: string;
  readonly limit?: number;
}

const PAGE = 50;

@SubCommand({ name: 'list', description: 'who has changed what, by command or API, newest first' })
class OperationsListCommand extends ObserversCommand {
  protected readonly examples = [
    ['the last changes', 'operations list'],
    ['what somebody did to dead letters since yesterday', 'operations list --who deploy --what "dead letter" --since 24h'],
  ] as const;

  @Option({ flags: '--who <name>', description: 'only changes by this user, or token of the API' })
  parseWho(value: string): string {
    return value;
  }

  @Option({ flags: '--what <text>', description: 'only what begins so, such as "observer: paused"' })
  parseWhat(value: string): string {
    return value;
  }

  @Option({ flags: '--since <time>', description: 'only then or later: 2h for two hours ago, or 2026-01-31T10:00Z' })
  parseSince(value: string): string {
    return parseMoment('--since', value);
  }

  @Option({ flags: '--limit <count>', description: `at most so many (default ${PAGE})` })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  async run(_args: string[], flags: OperationFlags): Promise<void> {
    const { StatusModule } = await import('../status/status.module');
    const { Operations } = await import('../status/operations.service');
    const { who = null, what = null, since = null, limit = PAGE } = flags;
    const found = await onServices(flags, [StatusModule], (get) => get(Operations).list({ who, what, since, until: null }, null, limit));
    if (flags.format === 'json') return printJson(found);
    if (found.length === 0)
      return print(
        who === null && what === null && since === null ? 'nobody has changed anything' : 'nothing that people have changed matches',
      );
    printTable(['when', 'who', 'what', 'to what'], found.map(row)); // prettier-ignore
    if (found.length === limit) print(`${BREAK}${colors.dim(`The newest ${limit}; there may be more: --limit ${limit * 5}`)}`);
  }
}

function row({ at, who, what, set, before, after }: RecordedOperation): string[] {
  const change = [shown(before), shown(after)];
  const became = change.every((text) => text === '')
    ? ''
    : `${change[0] === '' ? 'nothing' : change[0]} → ${change[1] === '' ? 'nothing' : change[1]}`;
  return [shortTime(at), who, what, [shown(set), became].filter((text) => text !== '').join('; ')];
}

/** `count 3, state dead`; of a list only how many, for --format json has them. */
function shown(values: RecordedOperation['before']): string {
  const known = Object.entries(values ?? {}).filter(([, value]) => value !== null);
  return cut(known.map(([name, value]) => `${name} ${Array.isArray(value) ? `(${value.length})` : textOf(value)}`).join(', '), 60);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const SUB_COMMANDS = [OperationsListCommand];

@Command({ name: 'operations', description: 'what people have changed', subCommands: SUB_COMMANDS })
export class OperationsCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
