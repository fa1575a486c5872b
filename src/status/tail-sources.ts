/** SQL of the tables that `tail` follows, each as rows of the same columns. */
export interface TailSource {
  /** An expression for each of ENTRY_COLUMNS and HIDDEN_COLUMNS that the table has; the others are null. */
  readonly columns: Readonly<Record<string, string>>;
  readonly from: string;
  /** The transaction that wrote the row, and how its index compares it: with an xid8, or with its number. */
  readonly xid: string;
  readonly indexed: 'xid8' | 'number';
  /** Where the row stands: different for each row of a transaction. */
  readonly place: string;
  /** Newest first, by an index. */
  readonly newest: string;
  readonly where: string;
}

/** With the types of those that may be null in every row of a table. */
export const ENTRY_COLUMNS = {
  kind: 'text',
  at: 'timestamptz',
  change: 'bigint',
  event: 'uuid',
  entityType: 'text',
  entityKey: 'text',
  operation: 'text',
  observer: 'text',
  action: 'text',
  attempt: 'integer',
  outcome: 'text',
  error: 'text',
  message: 'text',
  status: 'smallint',
  durationMs: 'real',
  configVersion: 'integer',
} as const;

/** What entries are filtered by, and never shown. */
export const HIDDEN_COLUMNS = { tenant: 'text' } as const;

const OF_CHANGE = {
  event: 'l.id',
  entityType: 'observers.shown(l.object_type)',
  entityKey: 'observers.shown(coalesce(l.object_key, l.object_id::text))',
  operation: 'observers.shown(lower(l.modification_type))',
  tenant: 'l.tenant_id::text',
};

const EVENTS: TailSource = {
  columns: { ...OF_CHANGE, kind: "'event'", at: 'l.created_at', change: 'l.pk_entity_change_log' },
  from: 'core.tb_entity_change_log l',
  xid: 'l.change_xid',
  indexed: 'xid8',
  place: 'lpad(l.pk_entity_change_log::text, 20)',
  newest: 'l.pk_entity_change_log',
  where: 'true',
};

const ATTEMPTS: TailSource = {
  columns: {
    ...OF_CHANGE,
    kind: "'attempt'",
    at: 'a.finished_at',
    change: 'a.change_number',
    observer: 'a.observer',
    action: 'a.action',
    attempt: 'a.attempt',
    outcome: 'a.outcome',
    error: 'a.error',
    message: 'a.message',
    status: 'a.status',
    durationMs: 'a.duration_ms',
    configVersion: 'a.config_version',
  },
  from: 'observers.attempt a left join core.tb_entity_change_log l on l.pk_entity_change_log = a.change_number',
  xid: 'a.attempt_xid',
  // By the BRIN index.
  indexed: 'number',
  // Nothing updates an attempt, so that it stays where it is.
  place: "lpad(a.tableoid::text, 10) || ' ' || a.ctid::text",
  newest: 'a.change_number',
  where: 'true',
};

const DEAD_LETTERS: TailSource = {
  columns: {
    kind: "'dead letter'",
    at: 'coalesce(d.resolved_at, d.retried_at, d.died_at)',
    change: 'd.change_number',
    event: 'd.event_id',
    entityType: 'd.entity_type',
    entityKey: 'd.entity_key',
    operation: OF_CHANGE.operation,
    tenant: OF_CHANGE.tenant,
    observer: 'd.observer',
    action: 'd.action',
    attempt: 'd.attempts',
    outcome: "case when d.resolved_at is null then 'dead' else 'discarded' end",
    // Of a retry that failed, what it came to: what the item died with was told when it died.
    error: 'coalesce(d.retry_error, d.error)',
    message: 'case when d.resolved_at is null then coalesce(d.retry_message, d.message) else d.resolution end',
    status: 'case when d.retried_at is null then d.status else d.retry_status end',
    configVersion: 'd.config_version',
  },
  from: 'observers.dead_letter d left join core.tb_entity_change_log l on l.pk_entity_change_log = d.change_number',
  xid: 'd.changed_xid',
  indexed: 'xid8',
  place: 'd.id::text',
  newest: 'coalesce(d.retried_at, d.died_at)',
  // A death that follows a try is that try's line, and so is a redrive that succeeded.
  where: `d.resolution is distinct from 'delivered' and (d.resolved_at is not null or not exists (
    select from observers.attempt t where t.change_number = d.change_number and t.observer = d.observer and t.action = d.action
      and t.attempt_xid = d.changed_xid))`,
};

const QUARANTINE: TailSource = {
  columns: {
    ...OF_CHANGE,
    kind: "'quarantine'",
    at: 'coalesce(q.resolved_at, q.created_at)',
    change: 'q.change_number',
    outcome: "case when q.resolved_at is null then 'quarantined' else 'discarded' end",
    error: 'q.reason',
    message: 'case when q.resolved_at is null then q.message else q.resolution end',
  },
  from: 'observers.quarantine q left join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number',
  xid: 'q.changed_xid',
  indexed: 'xid8',
  place: 'lpad(q.change_number::text, 20)',
  newest: 'q.change_number',
  where: 'true',
};

/** In this order within one transaction. */
export const TAIL_SOURCES: readonly TailSource[] = [EVENTS, ATTEMPTS, DEAD_LETTERS, QUARANTINE];
