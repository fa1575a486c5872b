import type { CaptureSql } from './capture-sql';
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
  if (!record) return ['not captured'];
  const reasons = [...ofTheTable(table, record), ...ofTheColumns(table, record), ...ofTheTriggers(comparison)];
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
    for (const { name, enabled } of made.triggersOf(relation)) {
      const trigger = triggers.find((candidate) => candidate.relationOid === relation.oid && candidate.trigger === name);
      if (!trigger) reasons.push(`${relation.name} has no trigger ${name}`);
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
