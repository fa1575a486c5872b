import type { ObserverDefinition, Timing } from '../../event/definitions';
import { compileCondition, ConditionSyntaxError } from '../../matching/condition/condition';
import { compileTemplate, hasTags } from '../../matching/template/template';
import { readInstant } from '../../matching/time';
import type { FileProblems, Path } from '../file-problems';
import type { ObserverShape } from '../schema/observers-file';
import { durationOf } from '../units';

const KEYS = ['delay', 'deliver_at', 'debounce'] as const;

/** When an observer's deliveries go, and what cancels them. @param timesAsText as old versions of the file compare times */
export function linkTiming(
  shape: ObserverShape,
  path: Path,
  problems: FileProblems,
  timesAsText: boolean,
): Pick<ObserverDefinition, 'timing' | 'cancelWhen'> {
  const given = KEYS.filter((key) => shape[key] !== undefined);
  const [first, second] = given;
  if (second !== undefined) problems.add([...path, second], `${first} and ${second} contradict each other; give one of them`);
  if (first !== undefined && shape.ordering === 'strict')
    problems.add(
      [...path, first],
      `ordering: strict and ${first} contradict each other: what waits for its time would hold up its whole lane`,
    );
  return { ...timingOf(shape, path, problems), ...cancelOf(shape, first, path, problems, timesAsText) };
}

function timingOf(
  { delay, deliver_at: at, debounce, when }: ObserverShape,
  path: Path,
  problems: FileProblems,
): { readonly timing?: Timing } {
  if (delay !== undefined) return { timing: { is: 'delay', wait: durationOf(delay) } };
  if (at !== undefined) {
    checkTemplate([...path, 'deliver_at'], at, problems);
    if (!hasTags(at) && readInstant(at) === null)
      problems.add([...path, 'deliver_at'], 'expected a point in time, as in "{{ data.due_at }}" or 2026-02-17T09:00:00Z');
    return { timing: { is: 'deliver_at', template: at } };
  }
  if (debounce === undefined) return {};
  const { key, wait, maxWait } = { key: debounce.key, wait: durationOf(debounce.wait), maxWait: durationOf(debounce.max_wait) };
  checkTemplate([...path, 'debounce', 'key'], key, problems);
  if (maxWait < wait) problems.add([...path, 'debounce', 'max_wait'], 'max_wait is shorter than wait');
  if (when !== undefined && lookupsIn(when).length > 0)
    problems.add([...path, 'debounce'], 'debounce and a condition with look-ups contradict each other: the last change would replace others before it is known whether it matches'); // prettier-ignore
  return { timing: { is: 'debounce', key, wait, maxWait } };
}

function cancelOf(
  { cancel_when: cancelWhen }: ObserverShape,
  timing: string | undefined,
  path: Path,
  problems: FileProblems,
  timesAsText: boolean,
): { readonly cancelWhen?: string } {
  if (cancelWhen === undefined) return {};
  if (timing === undefined) problems.add([...path, 'cancel_when'], 'cancel_when needs delay, deliver_at or debounce: without one nothing waits to be cancelled'); // prettier-ignore
  withoutLookups(problems, () => problems.condition([...path, 'cancel_when'], cancelWhen, timesAsText));
  return { cancelWhen };
}

function checkTemplate(path: Path, template: string, problems: FileProblems): void {
  withoutLookups(problems, () => problems.template(path, () => compileTemplate(template, 'text')));
}

/** What is looked up is known when a delivery begins, which is later. */
function withoutLookups(problems: FileProblems, check: () => void): void {
  const { lookups } = problems;
  problems.lookups = null;
  check();
  problems.lookups = lookups;
}

/** A condition that cannot be read is told of where it stands. */
function lookupsIn(when: string): readonly string[] {
  try {
    return compileCondition(when).lookups;
  } catch (error) {
    if (error instanceof ConditionSyntaxError) return [];
    throw error;
  }
}
