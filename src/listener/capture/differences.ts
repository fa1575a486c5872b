import { ROW_TRIGGER, type CaptureSql } from './capture-sql';
import type { CaptureRecord, InstalledTrigger, TableInfo } from './catalog';
import { CAPTURE_ROLE, type CaptureOwner } from './owner';

export interface Comparison {
  readonly table: TableInfo;
  readonly made: CaptureSql;
  readonly record: CaptureRecord | undefined;
  readonly triggers: readonly InstalledTrigger[];
  readonly owner: CaptureOwner;
}

const STATE = { A: 'ENABLE ALWAYS', O: 'ENABLE', R: 'ENABLE REPLICA' } as const;

/** How what is installed differs from what the observers file asks for, a sentence each; none: it is current. */
export function differences(comparison: Comparison): string[] {
  const { table, record, triggers, made, owner } = comparison;
  if (!record)
    return ['not captured', ...(table.isSubscribed ? ['a subscription fills it: what its worker writes is recorded row by row'] : [])];
  const subscription = ofTheSubscription(comparison);
  // Its triggers are others then; one sentence says why.
  const reasons = [...ofTheTable(table, record), ...ofTheColumns(table, record), ...(subscription ?? ofTheTriggers(comparison))];
  if (subscription !== null) return reasons;
  const expected = new Set(table.relations.flatMap((relation) => made.triggersOf(relation).map(({ name }) => `${relation.oid} ${name}`)));
  for (const { relation, relationOid, trigger } of triggers) {
    if (expected.has(`${relationOid} ${trigger}`)) continue;
    const isPart = table.relations.some(({ oid }) => oid === relationOid);
    reasons.push(isPart ? `${relation} has the trigger ${trigger}, which it no longer needs` : `${relation} is no part of ${table.name}, and still has the trigger ${trigger}`); // prettier-ignore
  }
  if (record.fingerprint !== made.fingerprint && reasons.length === 0) {
    reasons.push('the options, the triggers of others or the generated SQL differ from what was applied');
  }
  const owned = triggers.find(({ trigger, ownerIsSuperuser }) => ownerIsSuperuser && isVersioned(trigger));
  if (owned !== undefined)
    reasons.push(`its functions run as the superuser ${owned.owner}: whoever owns the table may run SQL as that role`);
  else {
    const kept =
      owner.role === 'none' ? undefined : triggers.find((trigger) => isVersioned(trigger.trigger) && trigger.owner !== CAPTURE_ROLE);
    if (kept !== undefined)
      reasons.push(`its functions run as ${kept.owner} instead of ${CAPTURE_ROLE}: whoever owns the table may run SQL as that role`);
  }
  return reasons;
}

function ofTheTable(table: TableInfo, record: CaptureRecord): string[] {
  if (record.relationOid === null) return ['captured by an earlier version, or the database was restored'];
  if (record.relationOid !== table.oid) {
    return [
      `${table.name} is another table now: the one that was captured ${record.nowCalled === null ? 'is gone' : `is called ${record.nowCalled}`}`,
    ];
  }
  return record.relation === table.name ? [] : [`the table was called ${record.relation} when it was captured`];
}

/** Null where nothing changed about it. */
function ofTheSubscription({ table, triggers }: Comparison): string[] | null {
  const records = triggers.some(({ relationOid, trigger }) => relationOid === table.oid && trigger === ROW_TRIGGER);
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

function ofTheTriggers({ table, made, record, triggers }: Comparison): string[] {
  const reasons: string[] = [];
  for (const relation of table.relations) {
    const expected = made.triggersOf(relation);
    const on = new Map(triggers.filter(({ relationOid }) => relationOid === relation.oid).map((trigger) => [trigger.trigger, trigger]));
    if (on.size === 0) {
      const unseen = relation.isRoot ? 'what is written to it' : 'what is written to it directly';
      reasons.push(`${relation.name} has no trigger of the capture: ${unseen} goes by unseen`);
      continue;
    }
    if (expected.some(({ name }) => name === ROW_TRIGGER) && !on.has(ROW_TRIGGER)) {
      reasons.push(`${relation.name} is filled by a logical subscription, which fires no statement trigger: what it writes goes by unseen`);
      continue;
    }
    for (const { name, enabled } of expected) {
      const trigger = on.get(name);
      if (!trigger)
        reasons.push(
          `${relation.name} has no trigger ${name}${isVersioned(name) ? '' : ', which keeps the order beside triggers of others'}`,
        );
      else if (trigger.enabled !== enabled) reasons.push(`${name} on ${relation.name} is not ${STATE[enabled]}: writes go by unseen`);
      else if (isVersioned(name) && trigger.fingerprint !== record?.fingerprint)
        reasons.push(`${name} on ${relation.name} is of another version`);
    }
  }
  return reasons;
}

/** Marks are the same in every version. */
function isVersioned(trigger: string): boolean {
  return !/_mark$|_note$/.test(trigger);
}
