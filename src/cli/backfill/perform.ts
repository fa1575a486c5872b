import type { Settings } from '../../config/settings';
import { SystemClock } from '../../event/clock';
import { ConfigModule } from '../../config/config.module';
import { ConfigVersions } from '../../config/config-versions.service';
import { countRows, findTarget, requireObservers, type BackfillRequest } from '../../backfill/target';
import { BackfillModule } from '../../backfill/backfill.module';
import { Backfills } from '../../backfill/backfills.service';
import type { BackfillResult } from '../../backfill/run';
import { Interruption } from '../bulk/interruption';
import type { Rate } from '../bulk/rate';
import { definitionReader, type GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { withDatabase, withServices } from '../modules';
import { operator } from '../dlq/item';
import { dryConfiguration } from '../dry-run/dry-configuration';
import { scanDisplay } from '../dry-run/scan-display';
import { counted } from '../output';

/** Flags of `backfill TABLE`. */
export interface BackfillFlags extends GlobalOptions {
  readonly observer?: readonly string[];
  readonly where?: string;
  readonly rate?: Rate;
  readonly dryRun?: boolean;
  readonly again?: boolean;
  readonly yes?: boolean;
}

export interface PerformedBackfill extends BackfillResult {
  readonly table: string;
  readonly observers: readonly string[];
  /** Rows without a key, which are left out. */
  readonly unplaced: number;
}

/** Begins a backfill, or goes on with it, until its end or Ctrl-C. */
export async function performBackfill(request: BackfillRequest, flags: BackfillFlags): Promise<PerformedBackfill> {
  const { configuration, custom } = await dryConfiguration(flags, false);
  await custom.close();
  const { settings, file } = configuration;
  return withServices(settings, [BackfillModule, ConfigModule], (get) =>
    withDatabase(settings, async (reader) => {
      const backfills = get(Backfills);
      const target = await findTarget(reader, request, file.definition);
      const { table, observers, entity } = target.subject;
      const latest = await backfills.latest(target.subject);
      const unfinished = latest?.state === 'unfinished' ? latest : null;
      const { count, unplaced } =
        unfinished?.expected == null ? await countRows(reader, target) : { count: unfinished.expected, unplaced: 0 };
      if (latest?.state !== 'finished' || flags.again === true) {
        const what = unfinished === null ? `Send ${counted(count, 'row')} of ${table}` : `Go on with the backfill of ${table}, ${unfinished.done} of ${count} sent,`; // prettier-ignore
        await confirm(`${what} to ${observers.join(', ')}?`, flags.yes ?? false);
      }
      const interruption = new Interruption();
      const sleep = (milliseconds: number): Promise<void> => interruption.sleep(milliseconds);
      try {
        const opened = await backfills.open(target.subject, { again: flags.again ?? false, who: operator(), expected: count, sleep });
        const display = await scanDisplay(count, 'rows');
        try {
          const result = await backfills.run(reader, target, opened, {
            stream: settings.stream,
            who: operator(),
            rate: flags.rate?.perSecond ?? null,
            clock: new SystemClock(),
            sleep,
            interrupted: () => interruption.interrupted,
            events: {
              onProgress: (done) => display.show(done),
              onWait: (why) => void process.stderr.write(why === null ? 'goes on\n' : `waits: ${why}\n`),
              onVersion: (version) => requireInVersion(get(ConfigVersions), settings, flags, version, observers, entity),
            },
          });
          return { ...result, table, observers, unplaced };
        } finally {
          display.end();
        }
      } finally {
        interruption.end();
      }
    }),
  );
}

/** The version that the service decides by must know the observers, or nobody would take the rows. @throws OperatorError */
async function requireInVersion(
  versions: ConfigVersions,
  settings: Settings,
  flags: GlobalOptions,
  version: number,
  observers: readonly string[],
  entity: string,
): Promise<void> {
  const text = await versions.read(version);
  if (text === null) return;
  const { observers: known } = (await definitionReader(flags, settings))(text);
  requireObservers(observers, entity, known, `version ${version}, by which the service decides`);
}
