/**
 * What a role, a database or the server may have set otherwise, and our statements depend on. What is missing here is left as it is:
 * `default_transaction_read_only` is somebody's decision, and told.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // How values are written as text, which we read: with extra_float_digits = -15 change 12345 is change 10000.
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  quote_all_identifiers: 'off',
  // How our text is read.
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // Each statement sees what is committed when it begins: the cursor and the ledger are written for it.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // Limits that are meant for people and requests. An index that is built takes as long as it takes, and a session that listens is idle.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  client_min_messages: 'warning',
};

/** @param version of the server, as it says when it is connected to; empty: not known */
export function sessionSettings(version: string): Readonly<Record<string, string>> {
  return Number.parseInt(version, 10) >= 17 ? { ...SETTINGS, transaction_timeout: '0' } : SETTINGS;
}
