import type { QueryResultRow } from 'pg';
import type { Leadership } from '../../src/ha/leadership';
import type { TestDatabase } from './database';

// The database, and most of what a test looks at, has no events to wait for: these ask until it holds.

const PATIENCE = 60_000;
/** Of the last answer, in an error: a scrape of the metrics has 100,000 characters. */
const LONGEST = 2_000;

/** Until this is so. When it is not in time, the error holds the condition as it is written. */
export async function until(condition: () => boolean | Promise<boolean>, timeout = PATIENCE): Promise<void> {
  await ask(condition, Boolean, { what: condition.toString(), timeout });
}

/** Until the answer is one that is waited for; this answer. When it does not come in time, the error holds the last one. */
export function eventually<T>(question: () => T | Promise<T>, holds: (answer: T) => boolean, timeout = PATIENCE): Promise<T> {
  return ask(question, holds, { what: holds.toString(), timeout });
}

/** Until a query finds exactly so many rows, or such as hold; these rows. */
export function untilRows<R extends QueryResultRow = QueryResultRow>(
  database: TestDatabase,
  sql: string,
  wanted: number | ((rows: readonly R[]) => boolean),
  timeout = PATIENCE,
): Promise<R[]> {
  const holds = typeof wanted === 'number' ? hasLength(wanted) : wanted;
  return ask(() => database.query<R>(sql), holds, { what: `${wanted.toString()} of: ${sql}`, timeout });
}

/** For `untilRows`: so many or more. */
export const atLeast =
  (count: number) =>
  ({ length }: readonly unknown[]): boolean =>
    length >= count;

const hasLength =
  (count: number) =>
  ({ length }: readonly unknown[]): boolean =>
    length === count;

/** Until so many are reached, however slow the machine is: it fails when nothing has moved for a while (milliseconds). */
export async function reaches(count: () => number, all: number, silence = PATIENCE): Promise<void> {
  for (let last = count(); last < all; last = count()) await until(() => count() !== last, silence);
  expect(count()).toBe(all);
}

/** Until this instance leads its stream. */
export function untilLeading(service: Leadership): Promise<void> {
  return until(() => service.state === 'leading');
}

/** Until the reader is past every change that there is. */
export async function untilRead(database: TestDatabase): Promise<void> {
  const ahead =
    'select from core.tb_entity_change_log l, observers.checkpoint c where not pg_visible_in_snapshot(l.change_xid, c.previous)';
  await untilRows(database, ahead, 0);
}

async function ask<T>(
  question: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  { what, timeout }: { readonly what: string; readonly timeout: number },
): Promise<T> {
  for (const end = Date.now() + timeout; ;) {
    const answer = await question();
    if (holds(answer)) return answer;
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}; last: ${JSON.stringify(answer)?.slice(0, LONGEST)}`);
    await new Promise((again) => setTimeout(again, 20));
  }
}
