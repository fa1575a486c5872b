import type { Client } from 'pg';
import type { Settings } from '../../config/settings';
import { SystemClock } from '../../event/clock';
import { readConfigVersion } from '../../config/config-version.sql';
import { countRows, findTarget, requireObservers, type BackfillRequest } from '../../backfill/target';
import { openBackfill } from '../../backfill/open';
import { BackfillRun, type BackfillResult } from '../../backfill/run';
import { latestBackfill } from '../../backfill/backfill.sql';
import { Interruption } from '../bulk/interruption';
import { definitionReader, type GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { withDatabase } from '../modules';
import { operator } from '../dlq/item';
import { dryConfiguration } from '../dry-run/dry-configuration';
import { scanDisplay } from '../dry-run/scan-display';
import { counted } from '../output';
import type { BackfillFlags } from './flags';

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
  return withDatabase(settings, (client) =>
    withDatabase(settings, async (reader) => {
      const target = await findTarget(reader, request, file.definition);
      const { table, observers, entity } = target.subject;
      const latest = await latestBackfill(client, target.subject);
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
        const opened = await openBackfill(client, target.subject, { again: flags.again ?? false, who: operator(), expected: count, sleep });
        const display = await scanDisplay(count, 'rows');
        try {
          const result = await new BackfillRun({ writer: client, reader }, target, opened, {
            stream: settings.stream,
            who: operator(),
            rate: flags.rate?.perSecond ?? null,
            clock: new SystemClock(),
            sleep,
            interrupted: () => interruption.interrupted,
            onProgress: (done) => display.show(done),
            onWait: (why) => void process.stderr.write(why === null ? 'goes on\n' : `waits: ${why}\n`),
            onVersion: (version) => requireInVersion(client, settings, flags, version, observers, entity),
          }).run();
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
  client: Client,
  settings: Settings,
  flags: GlobalOptions,
  version: number,
  observers: readonly string[],
  entity: string,
): Promise<void> {
  const text = await readConfigVersion(client, version);
  if (text === null) return;
  const { observers: known } = (await definitionReader(flags, settings))(text);
  requireObservers(observers, entity, known, `version ${version}, by which the service decides`);
}
