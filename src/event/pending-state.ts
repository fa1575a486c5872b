/** What a delivery may be that stands in PostgreSQL because it is not finished. */
export const PENDING_STATES = ['scheduled', 'queued', 'running', 'retrying', 'waiting', 'parked', 'paused'] as const;

export type PendingState = (typeof PENDING_STATES)[number];
