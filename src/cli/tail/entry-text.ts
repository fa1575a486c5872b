import type { TailEntry } from '../../status/tail.service';
import { colors, cut } from '../output';

const OUTCOME = 11;
const ENTITY = 22;
const NEVER_NARROWER = 60;

const MARKS: Readonly<Record<string, (text: string) => string>> = {
  succeeded: colors.green,
  skipped: colors.dim,
  retry: colors.yellow,
  dead: colors.red,
  quarantined: colors.red,
  discarded: colors.dim,
};

/** A line for people: when, what, of which entity; what it came to. */
export function entryLine(entry: TailEntry): string {
  const { at, change, event, entityType, entityKey, operation, observer, action, outcome } = entry;
  const time = at.slice(11, 23).padEnd(12);
  const entity = entityType === null ? `change ${change}` : `${entityType} ${entityKey ?? ''}`;
  const word = outcome ?? operation ?? 'event';
  const subject = observer === null ? '' : `${observer}/${action}`;
  const rest =
    outcome === null ? `event ${event} (change ${change})` : [subject, ...details(entry)].filter((part) => part !== '').join(', ');
  const colour = outcome === null ? colors.cyan : (MARKS[outcome] ?? ((text: string) => text));
  const room = Math.max(NEVER_NARROWER, process.stdout.columns) - time.length - OUTCOME - Math.max(ENTITY, entity.length) - 3;
  return `${colors.dim(time)} ${colour(word.padEnd(OUTCOME))} ${entity.padEnd(ENTITY)} ${cut(rest, room)}`;
}

function details({ attempt, status, error, message, durationMs, kind }: TailEntry): string[] {
  return [
    kind === 'attempt' && attempt !== null && attempt > 1 ? `try ${attempt}` : '',
    durationMs === null ? '' : `${Math.round(durationMs)} ms`,
    status === null ? '' : String(status),
    [error, message].filter((part) => part !== null).join(': '),
  ];
}
