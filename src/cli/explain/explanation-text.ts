import type { EntityEvent } from '../../event/entity-event';
import { jsonText } from '../../event/json-text';
import type { Explanation } from '../../matching/condition/condition';
import type { DeliveryState } from '../../explain/delivery-state';
import type { DeliveryExplanation, EventExplanation, ObserverExplanation } from '../../explain/explain';
import { shortTime } from '../dlq/item';
import type { ShownDelivery } from '../../dry-run/renderer';
import type { RecordedChange } from '../../explain/explanation-json';
import type { LookupTrial, ObserverTrial } from '../../dry-run/trial';
import { deliveryLines as contentLines, withoutLastGap } from '../dry-run/content-text';
import type { Renderings } from '../dry-run/render-explained';
import { colors, cut, print, printTable } from '../output';
import { triesNamed } from '../tries';

const LABEL = 14;
const GOOD: readonly DeliveryState[] = ['delivered', 'skipped'];
const BAD: readonly DeliveryState[] = ['dead', 'parked', 'logged', 'quarantined', 'unaccounted'];

/** One event, for people: what it was, what each observer made of it and why, what became of each delivery. */
export function explanationLines(explained: EventExplanation, renderings: Renderings | null = null): string[] {
  const { event, recorded, changeNumber, state, why, version, observers, notes } = explained;
  const lines = [field('event', recorded.id === null ? `change ${changeNumber}` : `${recorded.id} (change ${changeNumber})`)];
  lines.push(...(event === null ? recordedLines(recorded) : eventLines(event)));
  lines.push(field('state', `${state}: ${why}`), field('configuration', version === null ? 'unknown' : `version ${version}`));
  for (const note of notes) lines.push(field('note', note));
  if (event !== null && observers.length === 0 && version !== null) lines.push('', 'no observer is configured');
  return [...lines, ...observers.flatMap((observer) => ['', ...observerLines(observer, renderings)])];
}

export function field(label: string, value: string): string {
  return `${colors.dim(label.padEnd(LABEL))} ${value}`;
}

export function eventLines({ entityType, entityKey, kind, changed, tenant, timestamp, data, before }: EntityEvent): string[] {
  const columns = changed === null || changed.length === 0 ? '' : ` of ${changed.join(', ')}`;
  return [
    field('entity', `${entityType} ${entityKey}: ${kind}${columns}`),
    field('written', timestamp),
    ...(tenant === null ? [] : [field('tenant', tenant)]),
    ...(data === null ? [] : [field('data', cut(data.text, 400))]),
    ...(before === null ? [] : [field('before', cut(before.text, 400))]),
  ];
}

/** Of a change that is no event. */
function recordedLines({ kind, timestamp, ...entity }: RecordedChange): string[] {
  return [field('entity', `${entityOf(entity)}: ${kind ?? 'nothing'}`), ...(timestamp === null ? [] : [field('written', timestamp)])];
}

/** The type, and the key where there is one. */
export function entityOf({ entityType, entityKey }: Pick<RecordedChange, 'entityType' | 'entityKey'>): string {
  return [entityType ?? 'no entity', ...(entityKey === null || entityKey === '' ? [] : [entityKey])].join(' ');
}

function observerLines({ name, verdict, why, condition, deliveries }: ObserverExplanation, renderings: Renderings | null): string[] {
  return [
    `${markOf(verdict)} ${colors.bold(name)}: ${why}`,
    ...(condition === null ? [] : conditionLines(condition).map((line) => `    ${line}`)),
    ...withoutLastGap(
      deliveries.flatMap((one) => [...deliveryLines(one), ...renderingLines(renderings?.get(`${name}/${one.action}`))]),
    ).map((line) => `    ${line}`),
  ];
}

export function markOf(verdict: string): string {
  const yellow = colors.yellow('?');
  const marks: Readonly<Record<string, string>> = { matched: colors.green('✓'), undecided: yellow, 'not known': yellow, 'lookup failed': yellow, 'no answer': colors.red('✗') }; // prettier-ignore
  return marks[verdict] ?? colors.dim('–');
}

/** The condition's parts with their values, one beneath the other. */
function conditionLines(root: Explanation): string[] {
  const flat: { text: string; value: string }[] = [];
  const walk = ({ text, value, note, children }: Explanation, depth: number): void => {
    flat.push({
      text: `${'  '.repeat(depth)}${cut(text, 80)}`,
      value: `${coloured(value)}${note === null ? '' : colors.dim(`  ${note}`)}`,
    });
    for (const child of children) walk(child, depth + 1);
  };
  walk(root, 0);
  const width = Math.max(...flat.map(({ text }) => text.length));
  return flat.map(({ text, value }) => `${text.padEnd(width)}  ${value}`);
}

function coloured(value: string): string {
  if (value === 'true') return colors.green(value);
  return value === 'false' || value === 'error' ? colors.red(value) : cut(value, 80);
}

export function colouredState(state: DeliveryState): string {
  return colourOf(state)(state);
}

/** It is done, it has failed, it waits. */
export function markOfState(state: DeliveryState): string {
  return colourOf(state)(GOOD.includes(state) ? '✓' : BAD.includes(state) ? '✗' : '…');
}

function colourOf(state: DeliveryState): (text: string) => string {
  return GOOD.includes(state) ? colors.green : BAD.includes(state) ? colors.red : colors.yellow;
}

function deliveryLines({ action, type, state, why, attempts }: DeliveryExplanation): string[] {
  const names = triesNamed(attempts);
  return [
    `→ ${action}${type === null || type === action ? '' : ` (${type})`}: ${colouredState(state)}, ${why}`,
    ...attempts.map(({ finishedAt, outcome, durationMs, status, error, message }, i) => {
      const answer = [status, error === null ? null : `${error}: ${cut(message ?? '', 100)}`].filter((part) => part !== null).join(' ');
      return colors.dim(`    try ${names[i]}  ${shortTime(finishedAt)}  ${outcome}  ${Math.round(durationMs)} ms  ${answer}`);
    }),
  ];
}

function renderingLines(rendering: ShownDelivery | undefined): string[] {
  return rendering === undefined ? [] : contentLines(rendering).map((line) => `    ${line}`);
}

/** A line an event. */
export type HistoryRow = readonly (string | number | null)[];

export function historyRow({ changeNumber, recorded, state, observers }: EventExplanation): HistoryRow {
  const { id, kind, timestamp } = recorded;
  const written = timestamp === null ? null : shortTime(timestamp);
  return [changeNumber, written, id, cut(entityOf(recorded), 40), kind, state, summary(state, observers)];
}

/** Newest first. */
export function printHistory(rows: readonly HistoryRow[]): void {
  if (rows.length === 0) return print('no event in the change log matches');
  printTable(['change', 'written', 'event', 'entity', 'kind', 'state', 'deliveries'], rows);
}

function summary(state: EventExplanation['state'], observers: readonly ObserverExplanation[]): string {
  const counts = new Map<string, number>();
  for (const { state } of observers.flatMap(({ deliveries }) => deliveries)) counts.set(state, (counts.get(state) ?? 0) + 1);
  if (state === 'quarantined' || counts.size === 0) return NONE[state];
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

const NONE: Readonly<Record<EventExplanation['state'], string>> = {
  processed: 'none: no observer matched',
  waiting: 'none yet',
  quarantined: 'none: no observer was asked',
  'passed over': 'none: no observer was asked',
  ignored: 'none: no observer was asked',
  history: 'none: no observer was asked',
};

/** What one observer makes of an event, for people. */
export function trialLines({ name, mode, verdict, why, condition, lookups, deliveries }: ObserverTrial): string[] {
  const shadow = mode === 'shadow' ? colors.yellow(' (in shadow: it sends nothing)') : '';
  return [
    '',
    `${markOf(verdict)} ${colors.bold(name)}${shadow}: ${why}`,
    ...(condition === null ? [] : conditionLines(condition).map((line) => `    ${line}`)),
    ...lookups.map((lookup) => `    ${lookupLine(lookup)}`),
    ...withoutLastGap(deliveries.flatMap(contentLines)).map((line) => (line === '' ? '' : `    ${line}`)),
  ];
}

function lookupLine({ name, state, url, found, why }: LookupTrial): string {
  const what = { 'not asked': 'would ask', found: 'asked', 'nothing found': 'asked', failed: 'asked', 'nothing to ask': 'asks nothing' };
  const result = state === 'found' ? `, found ${cut(jsonText(found), 200)}` : state === 'not asked' ? '' : `, ${state}`;
  return `look-up ${name}: ${what[state]}${url === null ? '' : ` GET ${url}`}${state === 'nothing to ask' ? '' : result}${why === null ? '' : `: ${why}`}`;
}
