import { Option, SubCommand } from 'nest-commander';
import { ExitCode, OperatorError } from '../../event/errors';
import { rateOf, type Rate } from '../bulk/rate';
import { ObserversCommand } from '../command';
import { colors, counted, print, printJson } from '../output';
import type { BackfillFlags, PerformedBackfill } from './perform';
import type { BackfillPreview } from './preview';

@SubCommand({
  name: 'run',
  arguments: '[table]',
  description:
    'what `backfill TABLE` does: each row of a captured table as an event, for the observers that are named; goes on where it was stopped',
  options: { isDefault: true },
})
export class BackfillRunCommand extends ObserversCommand {
  protected readonly examples = [
    ['how many rows, and what would be sent; changes nothing', 'backfill public.orders --observer crm-sync --dry-run'],
    ['send them, five hundred rows a second', 'backfill public.orders --observer crm-sync --rate 500/s --yes'],
    ['only some of them', 'backfill public.orders --observer crm-sync --where "status = \'open\'"'],
  ] as const;

  @Option({ flags: '--observer <names>', description: 'who takes part, separated by commas; may be given again; nobody else does' })
  parseObserver(value: string, before: string[] = []): string[] {
    return [...before, ...value.split(',').filter((name) => name !== '')];
  }

  @Option({ flags: '--where <sql>', description: 'only rows for which this holds: SQL over the columns' })
  parseWhere(value: string): string {
    if (value.trim() !== '') return value;
    throw new OperatorError('--where is empty', 'Leave it out to take all rows.');
  }

  @Option({ flags: '--rate <rate>', description: 'at most so many rows, such as 500/s; without it as many as the service keeps up with' })
  parseRate(value: string): Rate {
    return rateOf(/^\d+$/.test(value) ? `${value}/s` : value);
  }

  @Option({ flags: '--dry-run', description: 'change nothing; print the count, the first rows, and what would be sent' })
  parseDryRun(): boolean {
    return true;
  }

  @Option({ flags: '--again', description: 'once more, though it was finished' })
  parseAgain(): boolean {
    return true;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run([table]: string[], flags: BackfillFlags): Promise<void> {
    if (table === undefined)
      throw new OperatorError('no table named', 'fraiseql-observers backfill public.orders --observer NAME --dry-run');
    const observers = flags.observer ?? [];
    if (observers.length === 0)
      throw new OperatorError('no observer is named: --observer NAME, or several separated by commas', 'There are: fraiseql-observers observers list'); // prettier-ignore
    const request = { table, observers, where: flags.where ?? null };
    if (flags.dryRun === true) {
      const { previewBackfill, printPreview } = await import('./preview');
      const preview: BackfillPreview = await previewBackfill(request, flags);
      return flags.format === 'json' ? printJson(preview) : printPreview(preview);
    }
    const { performBackfill } = await import('./perform');
    const done = await performBackfill(request, flags);
    if (flags.format === 'json') printJson(done);
    else for (const line of sentences(done)) print(line);
    if (done.state === 'stopped') process.exitCode = ExitCode.interrupted;
    else if (done.failed > 0) process.exitCode = ExitCode.error;
  }
}

function sentences({ id, table, state, done, failed, unplaced, led }: PerformedBackfill): string[] {
  const head = state === 'finished' ? colors.green('finished') : colors.yellow('stopped');
  return [
    `${head}: ${counted(done, 'row')} of ${table} in the change log   (backfill ${id})`,
    ...(failed > 0 ? [colors.red(`${counted(failed, 'row')} could not be recorded whole: they will be in quarantine (dlq list)`)] : []),
    ...(unplaced > 0 ? [colors.yellow(`${counted(unplaced, 'row')} without a key left out`)] : []),
    ...(state === 'stopped' ? ['the same command goes on where it was'] : []),
    ...(led ? [] : ['no service leads the stream: they are sent when one does']),
  ];
}
