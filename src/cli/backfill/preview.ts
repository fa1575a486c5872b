import { MemoryCache } from '../../cache/memory-cache';
import pino from 'pino';
import { Renderer } from '../../dry-run/renderer';
import { tryEvent, type ObserverTrial, type TrialOptions } from '../../dry-run/trial';
import { SystemClock } from '../../event/clock';
import type { EntityEvent } from '../../event/entity-event';
import { decode, type ChangeRow } from '../../change-log/decode';
import { BackfillModule } from '../../backfill/backfill.module';
import { Backfills } from '../../backfill/backfills.service';
import { countRows, findTarget, reading, type BackfillRequest, type BackfillTarget } from '../../backfill/target';
import { Lookups } from '../../lookups/lookups';
import { withServices } from '../modules';
import { dryConfiguration } from '../dry-run/dry-configuration';
import type { BackfillFlags } from './perform';
import type { ClientBase } from 'pg';
import { trialLines, markOf } from '../explain/explanation-text';
import { BREAK, colors, counted, print } from '../output';

/** Rows that are looked at one by one. */
const SAMPLE = 5;
const NO_ID = '00000000-0000-7000-8000-000000000000';

interface PreviewedRow {
  readonly key: string;
  /** Null where the row could not be made an event, and `problem` says why. */
  readonly observers: readonly ObserverTrial[] | null;
  readonly problem: string | null;
}

export interface BackfillPreview {
  readonly table: string;
  readonly entity: string;
  readonly observers: readonly string[];
  readonly where: string | null;
  readonly count: number;
  /** Rows without a key, which are left out. */
  readonly unplaced: number;
  /** The last backfill about the same; null: there was none. */
  readonly last: { readonly id: string; readonly state: string; readonly done: number } | null;
  readonly sample: readonly PreviewedRow[];
  readonly notes: readonly string[];
}

/** What a backfill would send, in transactions that cannot write. */
export async function previewBackfill(request: BackfillRequest, flags: BackfillFlags): Promise<BackfillPreview> {
  const dry = await dryConfiguration(flags, false);
  const { file, settings } = dry.configuration;
  const { observers, redaction } = file.definition;
  const silent = pino({ level: 'silent' });
  const renderer = new Renderer(observers, redaction, silent, dry.connections);
  const lookups = new Lookups(new MemoryCache(), new SystemClock(), silent, { lookedUp: () => undefined });
  try {
    return await withServices(settings, [BackfillModule], async (get, client) => {
      const target = await findTarget(client, request, file.definition);
      const { table, entity, observers: named, where } = target.subject;
      const latest = await get(Backfills).latest(target.subject);
      const counted = await countRows(client, target);
      const options = {
        matcher: dry.matcher,
        renderer,
        redaction,
        lookups,
        ask: false,
        now: Date.now(),
        observers: named,
        testId: () => undefined,
      };
      const sample = await sampleOf(client, target, options, settings.maxEventSize);
      const last = latest === null ? null : { id: latest.id, state: latest.state, done: latest.done };
      return { table, entity, observers: named, where, ...counted, last, sample, notes: dry.notes };
    });
  } finally {
    await Promise.all([renderer.close(), lookups.close()]);
    await dry.custom.close();
  }
}

async function sampleOf(client: ClientBase, target: BackfillTarget, options: TrialOptions, maxBytes: number): Promise<PreviewedRow[]> {
  const { rows } = await reading(client, () =>
    client.query<(string | null)[] & object>({ text: target.rows.sample, values: [SAMPLE], rowMode: 'array' }),
  );
  const shown: PreviewedRow[] = [];
  for (const [key, data, tenant] of rows as (string | null)[][]) {
    const decoded = decode(changeOf(target, key ?? null, data ?? null, tenant ?? null, maxBytes), maxBytes);
    if (decoded.is === 'event') shown.push({ key: key ?? '', observers: await trialsOf(decoded.event, options), problem: null });
    else shown.push({ key: key ?? '', observers: null, problem: decoded.is === 'quarantined' ? decoded.message : null });
  }
  return shown;
}

async function trialsOf(event: EntityEvent, options: TrialOptions): Promise<ObserverTrial[]> {
  return (await tryEvent(event, options)).map(({ shown }) => shown);
}

/** The row as the change log would have it. */
function changeOf(
  { subject }: BackfillTarget,
  key: string | null,
  data: string | null,
  tenant: string | null,
  maxBytes: number,
): ChangeRow {
  const now = new Date().toISOString().replace('T', ' ').replace('Z', '');
  const bytes = data !== null && data.length > maxBytes ? String(data.length) : null;
  const origin = JSON.stringify({ id: 'dry run', observers: subject.observers });
  return ['0', NO_ID, subject.entity, key, 'BACKFILL', data, null, null, tenant, now, null, null, null, null, bytes, null, null, origin];
}

/** The first row with what would be sent of it; of the others what each observer makes of them. */
export function printPreview({ table, entity, observers, where, count, unplaced, last, sample, notes }: BackfillPreview): void {
  print(`${counted(count, 'row')} of ${table} (${entity})${where === null ? '' : ` where ${where}`} would be events for ${observers.join(', ')}; nothing was changed`); // prettier-ignore
  if (unplaced > 0) print(colors.yellow(`${counted(unplaced, 'row')} without a key would be left out`));
  if (last?.state === 'unfinished')
    print(`The backfill ${last.id} of the same is not finished: it would go on behind its ${counted(last.done, 'row')}.`);
  if (last?.state === 'finished') print(`The backfill ${last.id} has sent the same already: it takes --again.`);
  for (const note of notes) print(colors.dim(note));
  const [first, ...others] = sample;
  if (first === undefined) return;
  print(`${BREAK}The first row, ${colors.bold(`${entity} ${first.key}`)}`);
  for (const line of first.observers?.flatMap(trialLines) ?? [colors.red(first.problem ?? '')]) print(line);
  if (others.length === 0) return;
  print('');
  for (const row of others) print(`${entity} ${row.key}: ${verdicts(row)}`);
  if (count > sample.length) print(`… and ${count - sample.length} more`);
}

function verdicts({ observers, problem }: PreviewedRow): string {
  if (observers === null) return colors.red(problem ?? '');
  return observers.map(({ name, verdict, why, deliveries }) => `${markOf(verdict)} ${name}${deliveries.length > 0 ? ` → ${deliveries.map(({ action }) => action).join(', ')}` : `, ${why}`}`).join('; '); // prettier-ignore
}
