import { Command, Option, SubCommand } from 'nest-commander';
import { toTheSecond } from '../event/clock';
import { ExitCode, OperatorError } from '../event/errors';
import type { Hold, RetentionRun, RetentionStatus } from '../retention/retention.service';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { confirm } from './confirm';
import { operator } from './dlq/item';
import { onServices } from './modules';
import { BREAK, colors, counted, duration, print, printJson, printTable } from './output';

const NOT_ALLOWED = '42501';

/** As people call them. */
const NAMES: Readonly<Record<RetentionRun['removed'][number]['what'], string>> = {
  attempt_day: 'days of attempts',
  change_log: 'changes',
  attempt: 'attempts',
  dead_letter: 'dead letters',
  quarantine: 'quarantine',
  config_version: 'versions',
  operation: 'operations',
  dedup: 'dedup keys',
  audit: 'audit',
};

@SubCommand({ name: 'status', description: 'what is kept for how long, how old it is, and what keeps more than that' })
class RetentionStatusCommand extends ObserversCommand {
  protected readonly examples = [['what is kept, and why', 'retention status']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { RetentionModule } = await import('../retention/retention.module');
    const { Retention } = await import('../retention/retention.service');
    const status = await onServices(flags, [RetentionModule], (get, settings) => get(Retention).status(settings));
    if (flags.format === 'json') return printJson(status);
    printTable(
      ['what', 'kept for', 'oldest', 'rows', 'size'],
      status.tables.map(({ table, keeps, oldest, rows, bytes }) => [
        NAMES[table],
        keeps === null ? (table === 'dedup' ? 'their window' : colors.yellow('ever')) : duration(keeps / 1_000),
        oldest === null ? '' : toTheSecond(oldest),
        `~${Math.round(rows).toLocaleString('en')}`,
        sizeOf(bytes),
      ]),
    );
    for (const line of notes(status)) print(line);
  }
}

function notes({ logAdopted, tables, holds }: RetentionStatus): string[] {
  const isKept = logAdopted && tables.some(({ table, keeps }) => table === 'change_log' && keeps === null);
  const adopted = isKept
    ? [
        `${BREAK}The change log was there before this product, and others may read it: nothing of it is removed unless OBSERVERS_RETENTION_LOG is set.`,
      ]
    : [];
  return [...adopted, ...(holds.length === 0 ? [] : [`${BREAK}More is kept, because of`, ...holds.map((hold) => `  ${describe(hold)}`)])];
}

function describe({ kind, name, count, oldest }: Hold): string {
  const since = oldest === null ? '' : `, the oldest of ${toTheSecond(oldest)}`;
  const many = (one: string): string => counted(count ?? 0, one);
  switch (kind) {
    case 'reader':
      return `${name ?? ''}: it has not read all of it yet${since}`;
    case 'foreign reader':
      return `${name ?? ''}: its checkpoint is not of this server (checkpoint show)`;
    case 'replay':
      return `a replay that is not finished (its token begins with ${name ?? ''})`;
    case 'pending':
      return `${counted(count ?? 0, 'pending delivery', 'pending deliveries')}${since} (pending list)`;
    case 'dead letter':
      return `${many('open dead letter')}${since} (dlq stats)`;
    case 'quarantine':
      return `${many('quarantined change')}${since} (dlq list)`;
    case 'unaccounted':
      return `${counted(count ?? 0, 'unaccounted delivery', 'unaccounted deliveries')}${since} (audit list)`;
    case 'attempt day':
      return `${many('day')} of attempts that something of the above still needs, or that the next hour drops${since}`;
  }
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

function sizeOf(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Math.round(bytes / 1_000 ** power)} ${UNITS[power] ?? ''}`;
}

interface RunFlags extends GlobalOptions {
  readonly yes?: boolean;
}

@SubCommand({
  name: 'run',
  description: 'remove now what the leader would remove within the next hour, in short transactions; Ctrl-C stops between two',
})
class RetentionRunCommand extends ObserversCommand {
  protected readonly examples = [['after the settings were changed', 'retention run --yes']] as const;

  @Option({ flags: '-y, --yes', description: 'do it, and do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run(_args: string[], flags: RunFlags): Promise<void> {
    const { RetentionModule } = await import('../retention/retention.module');
    const { Retention } = await import('../retention/retention.service');
    const { Interruption } = await import('./bulk/interruption');
    await confirm('Remove what is finished and older than it is kept (retention status)?', flags.yes ?? false);
    const interruption = new Interruption();
    let done: RetentionRun;
    try {
      done = await onServices(flags, [RetentionModule], (get, settings) =>
        get(Retention)
          .run(settings, operator(), () => interruption.interrupted)
          .catch((error: unknown) => {
            throw refused(error);
          }),
      );
    } finally {
      interruption.end();
    }
    if (!done.finished) process.exitCode = ExitCode.interrupted;
    if (flags.format === 'json') return printJson(done);
    if (done.removed.length === 0) print('nothing to remove: what there is, is young or still needed (retention status)');
    else printTable(['removed', 'how many'], done.removed.map(({ what, count }) => [NAMES[what], count])); // prettier-ignore
    if (!done.finished) print('stopped: the same command, or the leader, goes on');
  }
}

/** An operator may not change the log, whatever it is for. */
function refused(error: unknown): unknown {
  if ((error as { code?: string }).code !== NOT_ALLOWED) return error;
  return new OperatorError(
    'only the role of the service may remove what is old',
    'Run it with the DATABASE_URL of the service, or ask the service: POST /retention/run',
    ExitCode.connection,
    { cause: error },
  );
}

const SUB_COMMANDS = [RetentionStatusCommand, RetentionRunCommand];

@Command({ name: 'retention', description: 'what is kept for how long, and removing what is older', subCommands: SUB_COMMANDS })
export class RetentionCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
