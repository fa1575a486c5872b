import { markOf } from '../explain/explanation-text';
import { trialLines } from '../dry-run/trial-text';
import { BREAK, colors, counted, print } from '../output';
import type { BackfillPreview, PreviewedRow } from './preview';

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
