import type { ClientBase } from 'pg';

/** A change by a person. */
export interface RecordedOperation {
  readonly number: number;
  /** RFC 3339. */
  readonly at: string;
  /** A user of the machine, or a token of the API by the first digits of its hash. */
  readonly who: string;
  /** The program that it came by. */
  readonly via: string;
  readonly what: string;
  readonly set: Readonly<Record<string, unknown>>;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** Null takes all. */
export interface OperationFilter {
  readonly who: string | null;
  /** The beginning of it: `dead letter` takes all that was done to dead letters. */
  readonly what: string | null;
  /** Then or later, and before then: RFC 3339. */
  readonly since: string | null;
  readonly until: string | null;
}

const LIST = `
  select number::float8 as number, to_json(at) #>> '{}' as at, who, via, what, items as set, before, after from observers.operation
  where ($1::text is null or who = $1) and ($2::text is null or starts_with(what, $2)) and ($3::timestamptz is null or at >= $3)
    and ($4::timestamptz is null or at < $4) and ($5::bigint is null or number < $5)
  order by number desc limit $6`;

/** Newest first. @param behind the number of the last one of the page before */
export async function listOperations(
  client: ClientBase,
  { who, what, since, until }: OperationFilter,
  behind: number | null,
  limit: number,
): Promise<RecordedOperation[]> {
  const { rows } = await client.query<RecordedOperation>(LIST, [who, what, since, until, behind, limit]);
  return rows;
}
