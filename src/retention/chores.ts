import type { ClientBase } from 'pg';
import { forgetExpiredKeys } from '../dedup/postgres-dedup.sql';
import { CUTTING } from '../delivery/retention.sql';
import type { ChangeLogCut } from './change-log-cut.sql';
import type { Removable, Retained, RetentionPolicy } from './policy';
import { dropAttemptDay, removeDeadLetters, removeLooseAttempts, removeOperations, removeQuarantine, removeSettledAudit, removeVersions } from './settled.sql'; // prettier-ignore

/** What one transaction has removed: rows, or a day of attempts. */
export interface Removed {
  readonly removed: number;
  readonly more: boolean;
}

/** One table's part of a sweep: transaction by transaction, until there is no more. */
export interface Chore {
  readonly table: Removable;
  /** Statements with which its transactions begin. */
  readonly begin: string;
  /** For what grows with days and people once an hour is often enough. */
  readonly rare: boolean;
  step(client: ClientBase, batch: number): Promise<Removed>;
}

/** By its indexes, and never by a look at a whole table that has millions of rows. */
const BEGIN = `begin; set local lock_timeout = '1s'; set local statement_timeout = '30s'; set local enable_seqscan = off`;

type Removal = (client: ClientBase, retention: number, batch: number) => Promise<number>;

/** Everything that the policy says. @param cut where the walk along the log is */
export function choresOf(policy: RetentionPolicy, cut: ChangeLogCut): Chore[] {
  const chore = (table: Retained, remove: Removal): Chore[] => {
    const kept = policy[table];
    if (kept === null) return [];
    const step = async (client: ClientBase, batch: number): Promise<Removed> => {
      const removed = await remove(client, kept, batch);
      return { removed, more: removed >= batch };
    };
    return [{ table, begin: BEGIN, rare: true, step }];
  };
  return [
    ...days(policy),
    ...chore('attempt', removeLooseAttempts),
    ...changes(policy, cut),
    { table: 'dedup', begin: BEGIN, rare: false, step: expiredKeys },
    ...chore('dead_letter', removeDeadLetters),
    ...chore('quarantine', removeQuarantine),
    ...chore('audit', removeSettledAudit),
    ...chore('config_version', removeVersions),
    ...chore('operation', removeOperations),
  ];
}

function days({ attempt }: RetentionPolicy): Chore[] {
  if (attempt === null) return [];
  const step = async (client: ClientBase): Promise<Removed> => {
    const day = await dropAttemptDay(client, attempt);
    return { removed: day === null ? 0 : 1, more: day !== null };
  };
  return [{ table: 'attempt_day', begin: BEGIN, rare: true, step }];
}

function changes({ change_log: kept }: RetentionPolicy, cut: ChangeLogCut): Chore[] {
  if (kept === null) return [];
  return [{ table: 'change_log', begin: `${BEGIN}; ${CUTTING}`, rare: false, step: (client, batch) => cut.step(client, kept, batch) }];
}

async function expiredKeys(client: ClientBase, batch: number): Promise<Removed> {
  const removed = await forgetExpiredKeys(client, batch);
  return { removed, more: removed >= batch };
}
