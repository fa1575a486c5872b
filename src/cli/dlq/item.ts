import { userInfo } from 'node:os';
import { ExitCode, OperatorError } from '../../event/errors';
import type { DeadLetterItem } from '../../redrive/dead-letters.service';
import { cut, printTable } from '../output';
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

export function printItems(items: readonly DeadLetterItem[]): void {
  printTable(
    ['id', 'died', 'observer/action', 'entity', 'error', 'tries', 'message'],
    items.map((item) => [
      item.id,
      shortTime(item.diedAt),
      item.observer === null ? 'quarantine' : `${item.observer}/${item.action}`,
      `${item.entityType} ${item.entityKey ?? ''}`,
      item.status === null ? item.error : `${item.error} ${item.status}`,
      item.attempts,
      cut(item.message, 60),
    ]),
  );
}

/** `2026-01-31 10:00:00`, UTC. */
export function shortTime(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}
