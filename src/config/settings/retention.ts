import { duration, durationOrNone } from './kinds';

/** How long what is finished is kept (docs/retention.md). */
export const retention = {
  retention: duration(
    'OBSERVERS_RETENTION',
    '7d',
    ['1m', '3650d'],
    'how long attempts are kept, and finished changes where the change log is ours',
  ),
  retentionLog: durationOrNone(
    'OBSERVERS_RETENTION_LOG',
    ['1m', '3650d'],
    '30d',
    'how long finished changes are kept; without it as long as attempts, and for ever in a change log that another application made',
  ),
  retentionDeadLetters: duration(
    'OBSERVERS_RETENTION_DEAD_LETTERS',
    '90d',
    ['1d', '3650d'],
    'how long dead letters and quarantined changes are kept that are settled, with what people did to them',
  ),
  retentionVersions: duration(
    'OBSERVERS_RETENTION_VERSIONS',
    '90d',
    ['1d', '3650d'],
    'how long versions of the observers file are kept after they have led',
  ),
  retentionOperations: duration(
    'OBSERVERS_RETENTION_OPERATIONS',
    '365d',
    ['30d', '3650d'],
    'how long it is on record who has changed what',
  ),
} as const;
