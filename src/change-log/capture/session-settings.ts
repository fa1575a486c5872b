import type { ColumnInfo } from './catalog';
import type { RowSql } from './row-sql';

// What they have in JSON is the same whatever the session has set.
const INDIFFERENT = new Set(
  'bool int2 int4 int8 numeric text varchar bpchar name uuid json jsonb date time timestamp oid inet cidr macaddr macaddr8 bit varbit tsvector enum'.split(
    ' ',
  ),
);

const PINS = {
  timezone: "set timezone = 'UTC'",
  datestyle: "set datestyle = 'ISO'",
  intervalstyle: "set intervalstyle = 'postgres'",
  bytea_output: "set bytea_output = 'hex'",
  extra_float_digits: 'set extra_float_digits = 1',
  // What computes a virtual column is written for this path; and the name of a relation, a type or a function has its schema, or not.
  search_path: 'set search_path = pg_catalog, pg_temp',
} as const;

/** Where the log has policies: what restores a dump switches row_security off, and an INSERT would fail instead of being checked. */
export const UNDER_POLICIES = 'set row_security = on';

const FORMATS = ['timezone', 'datestyle', 'intervalstyle', 'bytea_output', 'extra_float_digits'] as const;

const PINS_OF: Readonly<Record<string, readonly (keyof typeof PINS)[]>> = {
  timestamptz: ['timezone'],
  timetz: [],
  interval: ['intervalstyle'],
  bytea: ['bytea_output'],
  float4: ['extra_float_digits'],
  float8: ['extra_float_digits'],
  row: [...FORMATS, 'search_path'],
  ...Object.fromEntries(
    ['regclass', 'regproc', 'regprocedure', 'regoper', 'regoperator', 'regtype', 'regconfig', 'regdictionary', 'regcollation'].map(
      (type) => [type, ['search_path'] as const],
    ),
  ),
};

// JSON has dates as ISO writes them, and a text has not.
const DATES = new Set(['date', 'timestamp', 'timestamptz']);

/**
 * The settings that a capture function pins, for what is recorded must not depend on the writer's session. Each costs a writer some 5 us,
 * so only those that matter to the types of the table; a type that is not known here may hold any other.
 */
export function pinsFor(columns: readonly ColumnInfo[], row: RowSql): string[] {
  const pins = new Set<keyof typeof PINS>();
  for (const { name, writtenAs, virtual } of columns) {
    if (virtual !== null) pins.add('search_path');
    if (DATES.has(writtenAs) && row.isText(name)) pins.add('datestyle');
    if (INDIFFERENT.has(writtenAs)) continue;
    for (const pin of PINS_OF[writtenAs] ?? FORMATS) pins.add(pin);
  }
  return Object.entries(PINS).flatMap(([name, pin]) => (pins.has(name as keyof typeof PINS) ? [pin] : []));
}
