/** Roles that nobody logs in as: login roles are members of one. They belong to the cluster, what they may do to each database. */
export const ROLES = ['observers_capture', 'observers_service', 'observers_operator', 'observers_reader'] as const;
export type Role = (typeof ROLES)[number];

/** What each is for, in the words of the page and of the plan. */
export const PURPOSE: Readonly<Record<Role, string>> = {
  observers_capture: 'owns the capture functions, and so is what writes of captured tables run as',
  observers_service: 'runs the service (fraiseql-observers start)',
  observers_operator: 'retries, removes, pauses, repairs and replays',
  observers_reader: 'looks: status, search, explain, tail, audit list',
};

export const LOG = 'core.tb_entity_change_log';

/** Nobody reads it but the functions that hash with it. */
const SALT = 'observers.mask_salt';
/** Signed the tokens of dry runs, as earlier releases gave them. */
const TOKEN_KEY = 'observers.token_key';
/** Written by migrations and by `capture apply` only. */
const RECORDS = ['observers.migration', 'observers.captured_table'];
/** Nobody changes it afterwards. */
const OPERATIONS = 'observers.operation';
/** What a person decides. */
const OPERATED: Readonly<Record<string, readonly string[]>> = {
  'observers.pending_delivery': ['insert', 'update', 'delete'],
  'observers.dead_letter': ['insert', 'update'],
  'observers.dead_letter_event': ['insert'],
  'observers.quarantine': ['update'],
  'observers.gone_endpoint': ['delete'],
  'observers.paused_observer': ['insert', 'update', 'delete'],
  'observers.unaccounted': ['update', 'delete'],
  // Who did what: added to, and never changed.
  [OPERATIONS]: ['insert'],
  'observers.late_decision': ['insert', 'update'],
  'observers.replay': ['insert', 'update'],
  'observers.item_set': ['insert', 'update', 'delete'],
  'observers.breaker_reset': ['insert', 'update'],
  // And of each table that is sent: select, update on one column; and insert on the log. The command names them.
  'observers.backfill': ['insert', 'update'],
  // Asking for a retry, or for an index built anew.
  'observers.search_parked': ['update'],
  'observers.search_feed': ['insert', 'update', 'delete'],
  'observers.lease': ['insert', 'update'],
  'observers.checkpoint': ['insert', 'update'],
  'observers.checkpoint_reset': ['insert'],
  'observers.config_period': ['insert', 'update'],
};

/** What a role may do with a table of ours; of a table that a later migration adds too. @param table qualified */
export function rightsOn(role: Role, table: string): readonly string[] {
  if (role === 'observers_capture') return table === LOG ? ['insert'] : table === SALT ? ['select'] : [];
  if (table === SALT) return [];
  if (table === TOKEN_KEY) return role === 'observers_reader' ? [] : ['select'];
  if (role === 'observers_reader') return ['select'];
  if (role === 'observers_operator') return ['select', ...(OPERATED[table] ?? [])];
  // It delivers what others wrote, and cuts what is old.
  if (table === LOG) return ['select', 'delete'];
  if (table === OPERATIONS) return ['select', 'insert'];
  return RECORDS.includes(table) ? ['select'] : ['select', 'insert', 'update', 'delete'];
}

/** Functions that run as their owner, and who may call them. */
export const FUNCTIONS: Readonly<Record<string, readonly Role[]>> = {
  'observers.make_attempt_partitions(integer)': ['observers_service'],
  'observers.drop_attempt_partitions(interval)': ['observers_service'],
  'observers.cut_operations(interval,integer)': ['observers_service'],
  'observers.capture_chain(bigint,bigint)': ['observers_capture'],
};

export const SCHEMAS = ['core', 'observers'] as const;
