import { userInfo } from 'node:os';
import { ExitCode, OperatorError } from '../../event/errors';
import type { DeadLetterItem } from '../../redrive/dead-letters.service';
import { BREAK, counted, cut, layoutOf, print, printTable } from '../output';
import { isUuid } from '../values';

export function idFrom([id]: string[]): string {
  if (id !== undefined && isUuid(id)) return id.toLowerCase();
  throw new OperatorError(
    id === undefined ? 'no item named' : `"${id}" is not the id of an item`,
    'Ids are shown by: fraiseql-observers dlq list',
    ExitCode.error,
  );
}

export function notFound(id: string): OperatorError {
  return new OperatorError(
    `there is no item ${id} in the dead letter queue`,
    'What there is: fraiseql-observers dlq list',
    ExitCode.notFound,
  );
}

/** Who does it, for the item's history. */
export function operator(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container any number may be the user, without a name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

const HEAD = ['id', 'died', 'observer/action', 'entity', 'error', 'attempts', 'message'] as const;

/** A row each; on a terminal that has no room for that two lines each, of which the first begins with the id. */
export function printItems(items: readonly DeadLetterItem[]): void {
  const rows = items.map((item) => [
    item.id,
    shortTime(item.diedAt),
    item.observer === null ? 'quarantine' : `${item.observer}/${item.action}`,
    `${item.entityType} ${item.entityKey ?? ''}`,
    item.status === null ? item.error : `${item.error} ${item.status}`,
    String(item.attempts),
    cut(item.message, 60),
  ]);
  const room = process.stdout.isTTY ? process.stdout.columns : Infinity;
  if (room >= WIDE && layoutOf(HEAD, rows, room).as === 'table') printTable(HEAD, rows);
  else print(rows.flatMap((row) => twoLines(row, room)).join(BREAK));
}

/** In less room the last column of a table is too narrow to be read. */
const WIDE = 150;

/** What a row says, in two lines of at most so many columns. */
export function twoLines(
  [id = '', died = '', delivery = '', entity = '', error = '', attempts = '', message = '']: readonly string[],
  room: number,
): string[] {
  const first = `${id}  ${died}  ${counted(Number(attempts), 'attempt')}`;
  // The entity may be long, and the message is: what comes before is what people look for.
  const second = `  ${delivery}  ${entity}  ${error}: ${message}`;
  return [first, second].map((line) => (line.length <= room ? line : `${line.slice(0, room - 1)}…`));
}

/** `2026-01-31 10:00:00`, UTC. */
export function shortTime(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}
