import { Command, Option, SubCommand } from 'nest-commander';
import type { BackfillRecord, Backfills } from '../../backfill/backfills.service';
import { ExitCode, OperatorError } from '../../event/errors';
import { CommandGroup, ObserversCommand, type GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { onServices } from '../modules';
import { operator, shortTime } from '../dlq/item';
import { colors, counted, cut, print, printJson, printTable } from '../output';
import { isUuid } from '../values';
import { BackfillRunCommand } from './run.command';

const LISTED = 50;

async function onBackfills<T>(flags: GlobalOptions, work: (backfills: Backfills) => Promise<T>): Promise<T> {
  const { BackfillModule } = await import('../../backfill/backfill.module');
  const { Backfills } = await import('../../backfill/backfills.service');
  return onServices(flags, [BackfillModule], (get) => work(get(Backfills)));
}

@SubCommand({ name: 'list', description: 'the backfills: unfinished ones first, then the newest' })
class BackfillListCommand extends ObserversCommand {
  protected readonly examples = [['which there are, and how far they are', 'backfill list']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const all = await onBackfills(flags, (backfills) => backfills.list(LISTED));
    if (flags.format === 'json') return printJson(all);
    if (all.length === 0) return print('there has been none');
    printTable(['id', 'table', 'observers', 'where', 'state', 'rows', 'begun', 'by'], all.map(listed)); // prettier-ignore
    if (all.length === LISTED) print(`The newest ${LISTED}; there may be older ones.`);
  }
}

const COLOUR = { running: colors.green, stopped: colors.yellow, finished: String, cancelled: colors.dim } as const;

function listed({ id, table, observers, where, state, done, expected, startedAt, startedBy }: BackfillRecord): string[] {
  const rows = expected === null ? String(done) : `${done} of ${expected}`;
  return [id, table, observers.join(', '), cut(where ?? 'all rows', 40), COLOUR[state](state), rows, shortTime(startedAt), startedBy];
}

@SubCommand({ name: 'cancel', arguments: '<id>', description: 'end an unfinished backfill; what it has sent stays sent' })
class BackfillCancelCommand extends ObserversCommand {
  protected readonly examples = [['send no more of it', 'backfill cancel 0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f']] as const;

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run([id = '']: string[], flags: GlobalOptions & { yes?: boolean }): Promise<void> {
    const shown = 'Ids are shown by: fraiseql-observers backfill list';
    if (!isUuid(id)) throw new OperatorError(`"${id}" is not the id of a backfill`, shown);
    await onBackfills(flags, async (backfills) => {
      const found = await backfills.read(id);
      if (found === null) throw new OperatorError(`there is no backfill ${id}`, shown, ExitCode.notFound);
      if (found.state === 'finished' || found.state === 'cancelled')
        throw new OperatorError(`the backfill ${id} is ${found.state} already, with ${counted(found.done, 'row')} sent`, shown);
      await confirm(`End the backfill of ${found.table} for ${found.observers.join(', ')}?`, flags.yes ?? false);
      const changed = await backfills.cancel(id, operator());
      const after = await backfills.read(id);
      if (flags.format === 'json') printJson({ ...after, changed });
      else print(`${after?.state}, with ${counted(after?.done ?? 0, 'row')} of ${found.table} sent`);
    });
  }
}

const SUB_COMMANDS = [BackfillRunCommand, BackfillListCommand, BackfillCancelCommand];

@Command({ name: 'backfill', description: 'send the rows that a table has already to observers', subCommands: SUB_COMMANDS })
export class BackfillCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
