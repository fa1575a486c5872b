import type { AnsweredChange, AnsweredDelivery, AnsweredObserver, EntityAnswer } from '../../explain/entity-answer';
import { shortTime } from '../dlq/item';
import { counted } from '../../event/counted';
import { colors, duration, hanging } from '../output';
import { colouredState, markOf, markOfState } from './explanation-text';

/** An answer to a colleague: the subject first, then change by change, then what to do. */
export function answerLines(answer: EntityAnswer): string[] {
  const { entity, key, observer, changes, absences, next } = answer;
  const subject = `${colors.bold(`${entity} ${key}`)}${observer === null ? '' : `, observer ${observer}`}`;
  const noted = new Set<string>();
  const lines = [
    ...hanging(`${subject}: ${headline(answer)}`, ''),
    ...changes.flatMap((change) => ['', ...changeLines(change, observer), ...noteLines(change, noted)]),
    ...placeLines(answer),
  ];
  const [certain, possible] = [absences.filter((one) => one.certain), absences.filter((one) => !one.certain)];
  if (changes.length > 0 && absences.length > 0) lines.push('', 'What came after may be missing here:');
  lines.push(...certain.flatMap(({ why }) => hanging(why, '- ')));
  if (changes.length === 0 && possible.length > 0) lines.push(certain.length === 0 ? 'It may be that' : 'Or it may be that');
  lines.push(...possible.flatMap(({ why }) => hanging(why, '- ')));
  return next === null ? lines : [...lines, '', `${colors.cyan('→')} fraiseql-observers ${next}`];
}

function headline({ changes, more }: EntityAnswer): string {
  if (changes.length === 0) return 'the log has no change of it';
  if (!more) return changes.length === 1 ? 'one change' : `${changes.length} changes, newest first`;
  return changes.length === 1
    ? 'the last change; there are older ones (--limit)'
    : `the last ${changes.length} changes, newest first; there are older ones (--limit)`;
}

/** How far the stream is behind, where that has something to do with it. */
function placeLines({ behind, changes }: EntityAnswer): string[] {
  if (behind === null || !changes.some(({ state }) => state === 'waiting')) return [];
  const led = behind.led ? '' : ', and no service leads it';
  return ['', ...hanging(`The stream is ${counted(behind.changes, 'change')} behind, the oldest written ${duration(Math.round(behind.seconds))} ago${led}.`, '')]; // prettier-ignore
}

/** Who takes no such entity, or no such kind of change, has nothing to do with it: one line tells of all. */
const STRANGE: readonly AnsweredObserver['verdict'][] = ['other entity', 'other kind', 'not named'];

function changeLines(change: AnsweredChange, only: string | null): string[] {
  const { changeNumber, recorded, state, why, version, observers } = change;
  const { kind, timestamp } = recorded;
  const written = timestamp === null ? '' : `, ${shortTime(timestamp)}`;
  const by = version === null || observers.length === 0 ? '' : `, by version ${version} of the configuration`;
  const lines = [`${colors.bold(`change ${changeNumber}`)}: ${kind ?? 'nothing'}${written}${by}`];
  const unread = observers.length === 0 ? only === null : observers.some(({ verdict }) => verdict === 'not known');
  if (state !== 'processed' || unread) lines.push(...hanging(`${state}: ${why}`, '  '));
  const strange = observers.filter(({ verdict, deliveries }) => only === null && STRANGE.includes(verdict) && deliveries.length === 0);
  for (const observer of observers) if (!strange.includes(observer)) lines.push(...observerLines(observer));
  if (strange.length > 0) lines.push(...hanging(`not for it: ${strange.map(({ name }) => name).join(', ')}`, `  ${colors.dim('–')} `));
  if (only !== null && observers.length === 0 && state === 'processed')
    lines.push(`  ${version === null ? 'what decided is not known' : `version ${version} has no observer ${only}`}`);
  return lines;
}

/** What is the same of several changes is said once. */
function noteLines({ notes, state }: AnsweredChange, noted: Set<string>): string[] {
  // Of a change in quarantine its own line has said it.
  const fresh = notes.filter((note) => !noted.has(note) && !(state === 'quarantined' && note.startsWith('in quarantine')));
  for (const note of fresh) noted.add(note);
  return fresh.flatMap((note) => hanging(colors.dim(`note: ${note}`), '  '));
}

function observerLines({ name, verdict, why, deliveries }: AnsweredObserver): string[] {
  // Where it matched, what came of it says so.
  const said = verdict === 'matched' && deliveries.length > 0 ? [] : hanging(`${colors.bold(name)}: ${why}`, `  ${markOf(verdict)} `);
  const indent = said.length === 0 ? '  ' : '    ';
  return [...said, ...deliveries.flatMap((one) => hanging(deliveryText(name, one), `${indent}${markOfState(one.state)} `))];
}

/** States of which the sentence does not tell the try. */
const UNCOUNTED: readonly AnsweredDelivery['state'][] = ['dead', 'discarded', 'logged', 'parked', 'paused'];

function deliveryText(observer: string, { action, state, why, tries }: AnsweredDelivery): string {
  const count = UNCOUNTED.includes(state) && tries > 0 ? ` (${counted(tries, 'try', 'tries')})` : '';
  return `${colors.bold(`${observer}/${action}`)}: ${colouredState(state)}${count}, ${why}`;
}
