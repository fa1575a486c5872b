import type { ClientBase } from 'pg';
import type { Versions } from '../explain/versions';
import type { ChangeRow } from '../change-log/change-log.sql';
import { decode } from '../change-log/decode';
import { isCertain, missingOf, Records, type MissingDelivery } from './account';
import { factsOf, type AuditedChange, type AuditRange } from './audit.sql';
import { QUARANTINE } from './quarantine';
import type { AuditStep } from './background.sql';

/** Conditions may be evaluated for so long (ms) before deliveries get their turn. */
const SLICE = 4;

/**
 * What of these changes nothing accounts for. What cannot be proved (a version that is not known, or can no longer be read, a condition
 * that reads the clock) is never called missing.
 */
export async function examineChanges(
  client: ClientBase,
  range: Pick<AuditRange, 'stream' | 'retention'> & { readonly maxEventSize: number },
  versions: Versions,
  rows: readonly ChangeRow[],
): Promise<AuditStep['found']> {
  const numbers = rows.map(([number]) => Number(number));
  const facts = new Map((await factsOf(client, range, numbers)).map((fact) => [fact.number, fact]));
  const records = await Records.read(client, range.stream, numbers);
  const found: { changeNumber: number; observer: string; action: string; version: number }[] = [];
  let since = performance.now();
  for (const row of rows) {
    const fact = facts.get(Number(row[0]));
    if (fact === undefined || fact.quarantine !== null || fact.passedOver) continue;
    for (const missing of await missingIn(row, fact, range.maxEventSize, versions, records))
      found.push({ changeNumber: fact.number, ...missing, version: fact.version ?? 0 });
    if (performance.now() - since < SLICE) continue;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  }
  return found;
}

async function missingIn(
  row: ChangeRow,
  { version, number }: AuditedChange,
  maxEventSize: number,
  versions: Versions,
  records: Records,
): Promise<MissingDelivery[]> {
  const decoded = decode(row, maxEventSize);
  if (decoded.is === 'ignored') return [];
  if (decoded.is === 'quarantined')
    return isCertain(decoded) && records.of(number, QUARANTINE, decoded.reason) === undefined
      ? [{ observer: QUARANTINE, action: decoded.reason }]
      : [];
  if (version === null) return [];
  const basis = await versions.of(version);
  return 'problem' in basis ? [] : missingOf(basis, decoded.event, records);
}
