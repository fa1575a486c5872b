import type { ClientBase, Pool } from 'pg';

/** Something that a person has changed. What it holds is shown to everybody who may look: no secret. */
export interface NewOperation {
  readonly who: string;
  /** `subject: verb`, as in `breaker: reset`. */
  readonly what: string;
  /** What it was done to. */
  readonly items: Readonly<Record<string, unknown>>;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

const RECORD = 'insert into observers.operation (who, what, items, before, after) values ($1, $2, $3, $4, $5)';

/** Puts it on record: in the transaction of the change, or before what no transaction holds. Most operations are made by triggers of the tables. */
export async function recordOperation(client: ClientBase | Pool, { who, what, items, before, after }: NewOperation): Promise<void> {
  await client.query(RECORD, [who, what, JSON.stringify(items), before === null ? null : JSON.stringify(before), after === null ? null : JSON.stringify(after)]); // prettier-ignore
}

/** SQL: tells the trigger of a table whose rows do not say it who asked; to be joined in the statement that changes it. */
export const askedBy = (who: string): string => `(select set_config('observers.asked_by', ${who}, true) as who)`;
