import { MARKS, ROW_TRIGGER, type CaptureSql } from './capture-sql';
import type { CaptureRecord, InstalledFunction, InstalledTrigger, RelationInfo, TableInfo } from './catalog';
import { CAPTURE_ROLE, type CaptureOwner } from './owner';

export interface Comparison {
  readonly table: TableInfo;
  readonly made: CaptureSql;
  readonly record: CaptureRecord | undefined;
  readonly triggers: readonly InstalledTrigger[];
  /** Of one row; of all captures. */
  readonly functions: readonly InstalledFunction[];
  readonly owner: CaptureOwner;
}

const STATE = { A: 'ENABLE ALWAYS', O: 'ENABLE', R: 'ENABLE REPLICA' } as const;

/** How what is installed differs from what the observers file asks for, a sentence each; none: it is current. */
export function differences(comparison: Comparison): string[] {
  const { table, record, made } = comparison;
  if (!record)
    return ['not captured', ...(table.isSubscribed ? ['a subscription fills it: what its worker writes is recorded row by row'] : [])];
  const another = anotherTable(table, record);
  if (another !== null) return [another];
  // Where a subscription, or an inheritance, came or went, many triggers are others; one sentence says why.
  const subscription = ofTheInheritance(comparison) ?? ofTheSubscription(comparison);
  const reasons = [
    ...ofTheName(table, record),
    ...ofTheColumns(table, record),
    ...(subscription ?? table.relations.flatMap((relation) => ofTheTriggers(relation, comparison))),
    ...ofFormerPartitions(comparison),
  ];
  if (record.fingerprint !== made.fingerprint && reasons.length === 0) {
    reasons.push('the options or the generated SQL differ from what was applied');
  }
  if (reasons.length === 0) reasons.push(...ofTheRowFunctions(comparison));
  return [...reasons, ...ofTheOwner(comparison)];
}

/** Nothing of theirs stands in a trigger. */
function ofTheRowFunctions({ made, functions }: Comparison): string[] {
  const missing = made.rowFunctions.filter((name) => !functions.some((one) => one.name === name));
  return missing.length === 0 ? [] : [`the function ${missing.join(', ')} is gone: backfills of the table cannot be run`];
}

function ofTheOwner({ triggers, functions, made, owner }: Comparison): string[] {
  const all = [
    ...triggers.filter(({ trigger }) => isVersioned(trigger)),
    ...functions.filter(({ name }) => made.rowFunctions.includes(name)),
  ];
  const owned = all.find(({ ownerIsSuperuser }) => ownerIsSuperuser);
  if (owned !== undefined) return [`its functions run as the superuser ${owned.owner}: whoever owns the table may run SQL as that role`];
  const kept = owner.role === 'none' ? undefined : all.find((one) => one.owner !== CAPTURE_ROLE);
  if (kept === undefined) return [];
  return [`its functions run as ${kept.owner} instead of ${CAPTURE_ROLE}: whoever owns the table may run SQL as that role`];
}

function anotherTable(table: TableInfo, record: CaptureRecord): string | null {
  if (record.relationOid === null || record.relationOid === table.oid) return null;
  const old = record.nowCalled === null ? 'is gone' : `is called ${record.nowCalled}, and its writes still are`;
  return `${table.name} is another table now, and its writes are not recorded: the one that was captured ${old}`;
}

function ofTheName(table: TableInfo, record: CaptureRecord): string[] {
  if (record.relationOid === null) return ['captured by an earlier version, or the database was restored'];
  return record.relation === table.name ? [] : [`the table was called ${record.relation} when it was captured`];
}

/** Null where nothing changed about it. */
function ofTheInheritance({ table, triggers }: Comparison): string[] | null {
  const own = triggers.filter(({ relationOid }) => relationOid === table.oid);
  const records = own.some(({ trigger, enabled }) => trigger === ROW_TRIGGER && enabled === 'A');
  if (table.isInherited && !records && own.length > 0)
    return [
      `${table.name} inherits, or is inherited from, since it was captured: what is written by way of the other table is not recorded, or as its own, until capture apply`,
    ];
  if (!table.isInherited && records)
    return [
      `${table.name} neither inherits nor is inherited from any longer: each row of a statement is recorded by itself until capture apply`,
    ];
  return null;
}

/** Null where nothing changed about it. */
function ofTheSubscription({ table, triggers }: Comparison): string[] | null {
  const records = triggers.some(({ relationOid, trigger }) => relationOid === table.oid && trigger === ROW_TRIGGER);
  if (table.isInherited) return null;
  const isCaptured = triggers.some(({ relationOid }) => relationOid === table.oid);
  if (table.isSubscribed && !records && isCaptured)
    return [`a subscription fills ${table.name} since it was captured: what its worker writes is not recorded until capture apply`];
  if (!table.isSubscribed && records)
    return [`no subscription fills ${table.name} any longer: writes in the role replica are recorded row by row until capture apply`];
  return null;
}

function ofTheColumns(table: TableInfo, record: CaptureRecord): string[] {
  const now = table.columns.map(({ name }) => name);
  const added = now.filter((name) => !record.columns.includes(name));
  const gone = record.columns.filter((name) => !now.includes(name));
  return [
    ...(added.length > 0 ? [`columns added since: ${added.join(', ')}`] : []),
    ...(gone.length > 0 ? [`columns gone since: ${gone.join(', ')}`] : []),
  ];
}

function ofTheTriggers(relation: RelationInfo, { table, made, record, triggers }: Comparison): string[] {
  const expected = made.triggersOf(relation);
  const installed = triggers.filter(({ relationOid }) => relationOid === relation.oid);
  if (installed.length === 0) {
    const unseen = relation.isRoot ? 'what is written to it' : 'what is written to it directly';
    return [`${relation.name} has no trigger of the capture: ${unseen} goes by unseen`];
  }
  const beginnings = [made.functions, record?.functions ?? null];
  if (!relation.isRoot && !installed.some((trigger) => beginnings.some((functions) => serves(trigger, functions)))) {
    return [`${relation.name} has triggers of the capture of another table: what is written to it directly goes by unseen`];
  }
  const reasons: string[] = [];
  for (const { name, enabled } of expected) {
    const trigger = installed.find((candidate) => candidate.trigger === name);
    if (trigger === undefined) {
      if (!keepsOrder(name)) reasons.push(`${relation.name} has no trigger ${name}: what it would record goes by unseen`);
    } else if (trigger.enabled !== enabled) reasons.push(`${name} on ${relation.name} is not ${STATE[enabled]}: writes go by unseen`);
    else if (isVersioned(name) && trigger.fingerprint !== record?.fingerprint)
      reasons.push(`${name} on ${relation.name} is of another version`);
  }
  for (const { trigger } of installed) {
    if (!keepsOrder(trigger) && !expected.some(({ name }) => name === trigger))
      reasons.push(`${relation.name} has the trigger ${trigger}, which it no longer needs`);
  }
  const kept = installed.filter(({ trigger }) => keepsOrder(trigger)).length;
  const toBeKept = expected.filter(({ name }) => keepsOrder(name)).length;
  if (relation.isRoot && kept < toBeKept) {
    reasons.push(
      `other triggers or foreign keys act on ${table.name} since it was captured: what they write may be recorded in another order until capture apply`,
    );
  }
  if (relation.isRoot && kept > toBeKept) {
    reasons.push(
      `no other triggers or foreign keys act on ${table.name} any longer: until capture apply it pays for an order that it has anyway`,
    );
  }
  return reasons;
}

function ofFormerPartitions({ table, triggers }: Comparison): string[] {
  const former = new Set(triggers.filter(({ relationOid }) => !table.relations.some(({ oid }) => oid === relationOid)).map(({ relation }) => relation)); // prettier-ignore
  return [...former].map(
    (relation) =>
      `${relation} is no partition of ${table.name} any longer: its writes are not recorded, and its triggers of ours remain until capture apply`,
  );
}

function keepsOrder(trigger: string): boolean {
  return trigger === MARKS.mark || trigger === MARKS.note;
}

/** Whether a trigger calls one of the functions that begin so. */
export function serves(trigger: InstalledTrigger, functions: string | null): boolean {
  return functions !== null && trigger.function.replaceAll('"', '').startsWith(`observers.${functions}_`);
}

/** The others have no arguments that tell. */
function isVersioned(trigger: string): boolean {
  return !Object.values(MARKS).includes(trigger);
}
