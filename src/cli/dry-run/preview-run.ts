import pino from 'pino';
import type { LoadedConfiguration } from '../../config/load';
import { describeFailure } from '../../config/problems';
import { ConfigModule } from '../../config/config.module';
import { ConfigVersions } from '../../config/config-versions.service';
import { Preview } from '../../dry-run/preview';
import { Renderer } from '../../dry-run/renderer';
import { clockNotes, scan } from '../../dry-run/scan';
import type { PreviewReport, EndpointPreview, Examples, ObserverPreview } from '../../dry-run/report';
import type { ObserverDefinition } from '../../event/definitions';
import { ExplainModule } from '../../explain/explain.module';
import { Explanations } from '../../explain/explanations.service';
import { StoredEvents } from '../../explain/stored-events.service';
import { formatDuration } from '../../config/units';
import { loadInputOf, type GlobalOptions } from '../command';
import { shortTime } from '../dlq/item';
import { field } from '../explain/explanation-text';
import { withServices, type Get } from '../modules';
import { BREAK, colors, counted, print, printTable } from '../output';
import { deliveryLines, withoutLastGap } from './content-text';
import { dryConfiguration } from './dry-configuration';
import { scanDisplay, type ScanDisplay } from './scan-display';

export interface PreviewFlags extends GlobalOptions {
  /** RFC 3339. */
  readonly since?: string;
  readonly limit?: number;
}

export interface PreviewResult extends PreviewReport {
  readonly file: string;
  /** What it is compared with; null when there is nothing to compare with, which `notes` say. */
  readonly version: number | null;
  readonly notes: readonly string[];
}

const DAY = 86_400_000;

/** Runs the file over the stored events, in pages, each in a transaction of its own: nothing is held back meanwhile. */
export async function previewConfig(flags: PreviewFlags): Promise<PreviewResult> {
  const dry = await dryConfiguration(flags, false);
  const { file, settings } = dry.configuration;
  const renderer = new Renderer(file.definition.observers, file.definition.redaction, pino({ level: 'silent' }), dry.connections);
  try {
    return await withServices(settings, [ConfigModule, ExplainModule], async (get) => {
      const { version, running, notes } = await runningVersion(get, dry.configuration, flags);
      const preview = new Preview(file.definition.observers, running, renderer, settings.maxHops);
      await shownScan(get(StoredEvents), preview, flags, settings.maxEventSize);
      return { file: file.path, version, notes: [...dry.notes, ...notes, ...clockNotes(file.definition.observers)], ...preview.report };
    });
  } finally {
    await renderer.close();
    await dry.custom.close();
  }
}

async function shownScan(events: StoredEvents, preview: Preview, flags: PreviewFlags, maxEventSize: number): Promise<void> {
  const since = flags.since ?? new Date(Date.now() - DAY).toISOString();
  let display: ScanDisplay | null = null;
  try {
    await scan(events, preview, { since, limit: flags.limit ?? null, maxEventSize }, async (done, count) => {
      display ??= await scanDisplay(count);
      if (done > 0) display.show(done);
      return false;
    });
  } finally {
    (display as ScanDisplay | null)?.end();
  }
}

interface Running {
  readonly version: number | null;
  readonly running: readonly ObserverDefinition[] | null;
  readonly notes: readonly string[];
}

async function runningVersion(get: Get, { settings }: LoadedConfiguration, flags: GlobalOptions): Promise<Running> {
  const { readDefinition } = await import('../../config/load');
  const { Matcher } = await import('../../matching/matcher');
  const { currentVersion: version } = await get(Explanations).streamFacts(settings.stream);
  const text = version === null ? null : await get(ConfigVersions).read(version);
  if (text === null) return { version: null, running: null, notes: ['no service has led this stream yet: there is no running version to compare with'] }; // prettier-ignore
  try {
    const { observers } = readDefinition(loadInputOf(flags), settings, text);
    // Its conditions may hold references that are not set here.
    void new Matcher(observers);
    return { version, running: observers, notes: [] };
  } catch (error) {
    return { version: null, running: null, notes: [`version ${version}, which runs, cannot be read here: ${describeFailure(error)}`] };
  }
}

/** What a configuration would have made of the stored events, for people. */
export function printPreview({ file, version, events, unreadable, from, to, notes, observers, endpoints }: PreviewResult): void {
  const span = from === null || to === null ? '' : `, ${shortTime(from)} to ${shortTime(to)}`;
  print(field('events', `${events}${span}`));
  if (unreadable > 0) print(field('', `${counted(unreadable, 'change is no event', 'changes are no events')} (dlq list)`));
  print(field('file', version === null ? file : `${file}, compared with version ${version}, which runs`));
  for (const note of notes) print(field('note', note));
  for (const line of observers.flatMap(observerLines)) print(line);
  if (endpoints.length > 0) print('');
  if (endpoints.length > 0) printEndpoints(endpoints);
  print(`${BREAK}nothing was sent`);
}

function observerLines(one: ObserverPreview): string[] {
  const { name, is, mode, matched, difference, deliveries, undecided, noAnswer, loops, failing, missing, hottest, lookups, sample } = one;
  const what = { new: colors.green(' (new)'), kept: '', removed: colors.red(' (no longer there)') }[is];
  const shadow = mode === 'shadow' ? colors.yellow(' (in shadow: it sends nothing)') : '';
  const lines = [`${counted(matched, 'event')} matched, ${counted(deliveries, 'delivery', 'deliveries')}`];
  if (difference !== null) {
    const { newlyMatched, noLongerMatched, unknown } = difference;
    if (newlyMatched.count > 0) lines.push(colors.green(`+${newlyMatched.count} newly matched${examples(newlyMatched)}`));
    if (noLongerMatched.count > 0) lines.push(colors.red(`-${noLongerMatched.count} no longer matched${examples(noLongerMatched)}`));
    if (is === 'kept' && newlyMatched.count + noLongerMatched.count + unknown === 0) lines.push('the same events as the running version');
    if (unknown > 0) lines.push(colors.yellow(`${unknown} cannot be compared: without an answer, or by look-ups`));
  }
  if (undecided > 0) lines.push(colors.yellow(`${undecided} not known: the condition takes what is looked up, and nothing was asked`));
  if (noAnswer.count > 0) lines.push(colors.red(`${noAnswer.count} without an answer: ${noAnswer.error}${examples(noAnswer)}`));
  if (loops > 0) lines.push(colors.red(`${loops} brought about by too many deliveries: dead letters`));
  for (const { action, what: problem, ...rest } of failing) lines.push(colors.red(`${counted(rest.count, 'dead letter')} of ${action}: ${problem}${examples(rest)}`)); // prettier-ignore
  for (const { action, what: value, ...rest } of missing) lines.push(colors.yellow(`${rest.count} without ${value}, in ${action}${examples(rest)}`)); // prettier-ignore
  if (lookups.length > 0) lines.push(colors.dim(`look-ups are not asked: what ${lookups.join(', ')} would give is not known`));
  if (hottest.length > 0) lines.push(`most deliveries: ${hottest.map(({ key, count, atMost }) => `${key} ${count === atMost ? count : `${count} to ${atMost}`}`).join(', ')}`); // prettier-ignore
  const shown = sample === null ? [] : [colors.dim(`sample: event ${sample.event}, ${sample.entity}`), ...withoutLastGap(sample.deliveries.flatMap(deliveryLines))]; // prettier-ignore
  return ['', `${colors.bold(name)}${what}${shadow}`, ...[...lines, ...shown].map((line) => (line.trim() === '' ? '' : `    ${line}`))];
}

function examples({ events }: Examples): string {
  return events.length === 0 ? '' : colors.dim(`  ${events.slice(0, 3).join(' ')}`);
}

function printEndpoints(endpoints: readonly EndpointPreview[]): void {
  printTable(
    ['endpoint', 'deliveries', 'an hour', 'busiest hour', 'peak', 'rate limit'],
    endpoints.map(({ endpoint, deliveries, perHour, busiestHour, peak, rateLimit, overLimit }) => [
      endpoint,
      deliveries,
      perHour,
      `${busiestHour.deliveries} (${shortTime(busiestHour.from)})`,
      `${peak.deliveries} in ${formatDuration(peak.span)} (${shortTime(peak.from)})`,
      rateLimit === null
        ? null
        : `${rateLimit.count} in ${formatDuration(rateLimit.per)}${overLimit ? colors.yellow(': some would wait') : ''}`,
    ]),
  );
}
