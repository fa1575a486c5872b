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
  /** The program that it came by, where that is not this one. */
  readonly via?: string;
}

const RECORD =
  "insert into observers.operation (who, what, items, before, after, via) values ($1, $2, $3, $4, $5, coalesce($6, current_setting('application_name')))";

/** Puts it on record: in the transaction of the change, or before what no transaction holds. Most operations are made by triggers of the tables. */
export async function recordOperation(client: ClientBase | Pool, { who, what, items, before, after, via }: NewOperation): Promise<void> {
  await client.query(RECORD, [who, what, JSON.stringify(items), before === null ? null : JSON.stringify(before), after === null ? null : JSON.stringify(after), via ?? null]); // prettier-ignore
}

/** SQL: tells the trigger of a table whose rows do not say it who asked; to be joined in the statement that changes it. */
export const askedBy = (who: string): string => `(select set_config('observers.asked_by', ${who}, true) as who)`;
