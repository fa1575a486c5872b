import type { Settings } from '../config/settings';

/** What is kept for a while, by the names of its tables; `audit` is what the audit in the background has settled. */
export const RETAINED = ['change_log', 'attempt', 'dead_letter', 'quarantine', 'config_version', 'operation', 'dedup', 'audit'] as const;
export type Retained = (typeof RETAINED)[number];

/** What is counted when it is removed: rows of a table, or whole days of attempts. */
export const REMOVABLE = ['attempt_day', ...RETAINED] as const;
export type Removable = (typeof REMOVABLE)[number];

/** Milliseconds for which each is kept once it is finished; null: for ever, or, of dedup keys, as long as the observers file says. */
export type RetentionPolicy = Readonly<Record<Retained, number | null>>;

export type RetentionSettings = Pick<
  Settings,
  'retention' | 'retentionLog' | 'retentionDeadLetters' | 'retentionVersions' | 'retentionOperations'
>;

/** @param adopted the change log was there before us: others may read it, and nothing of it is removed unless a person says so */
export function policyOf(settings: RetentionSettings, adopted: boolean): RetentionPolicy {
  const { retention, retentionLog, retentionDeadLetters, retentionVersions, retentionOperations } = settings;
  // Attempts name versions, and the audit reads what is settled: neither goes before the attempts.
  const settled = Math.max(retentionDeadLetters, retention);
  return {
    change_log: retentionLog ?? (adopted ? null : retention),
    attempt: retention,
    dead_letter: settled,
    quarantine: settled,
    config_version: Math.max(retentionVersions, retention),
    operation: retentionOperations,
    dedup: null,
    audit: settled,
  };
}
