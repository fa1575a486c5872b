import { formatDuration } from '../../config/units';
import type { EndpointPreview, Examples, ObserverPreview } from '../../dry-run/report';
import { shortTime } from '../dlq/item';
import { field } from '../explain/explanation-text';
import { BREAK, colors, counted, print, printTable } from '../output';
import { deliveryLines, withoutLastGap } from './content-text';
import type { PreviewResult } from './preview-run';

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
  for (const { action, what: problem, ...rest } of failing) lines.push(colors.red(`${rest.count} dead letters of ${action}: ${problem}${examples(rest)}`)); // prettier-ignore
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
