import type { OperationName } from '../../src/admin/api/operations';

/** A dead letter of the observer ship, and its change. */
export interface There {
  readonly letter: string;
  readonly change: number;
}

export interface ApiCase {
  readonly route: string;
  readonly json?: unknown;
}

/** One request to each operation there is; the compiler asks for those that are added. */
export const API_CASES: Record<OperationName, (there: There) => ApiCase> = {
  status: () => ({ route: 'GET /status' }),
  listeners: () => ({ route: 'GET /listeners' }),
  circuitBreakers: () => ({ route: 'GET /circuit-breakers' }),
  resetBreaker: () => ({ route: 'POST /circuit-breakers/hook/reset' }),
  operations: () => ({ route: 'GET /operations' }),
  lanes: () => ({ route: 'GET /lanes' }),
  resumeLanes: () => ({ route: 'POST /lanes/resume', json: { all: true } }),
  skipLanes: () => ({ route: 'POST /lanes/skip', json: { all: true } }),
  deadLetterLanes: () => ({ route: 'POST /lanes/dead-letter', json: { all: true } }),
  checkpoint: () => ({ route: 'GET /checkpoint' }),
  retention: () => ({ route: 'GET /retention' }),
  runRetention: () => ({ route: 'POST /retention/run' }),
  configVersions: () => ({ route: 'GET /config/versions' }),
  unaccounted: () => ({ route: 'GET /audit/unaccounted' }),
  dismissUnaccounted: () => ({ route: 'POST /audit/dismiss', json: { change: 1 } }),
  observers: () => ({ route: 'GET /observers' }),
  pauseObserver: () => ({ route: 'POST /observers/ship/pause' }),
  resumeObserver: () => ({ route: 'POST /observers/ship/resume' }),
  reload: () => ({ route: 'POST /reload' }),
  invalidateCache: () => ({ route: 'POST /cache/invalidate', json: { url: 'http://127.0.0.1:9/customers/1' } }),
  search: () => ({ route: 'GET /search?q=Order' }),
  events: () => ({ route: 'GET /events' }),
  why: () => ({ route: 'GET /why?entity=Order&key=1' }),
  event: ({ change }) => ({ route: `GET /events/${change}` }),
  replayEvent: ({ change }) => ({ route: `POST /events/${change}/replay`, json: { observers: ['ship'] } }),
  deadLetters: () => ({ route: 'GET /dlq' }),
  deadLetterStats: () => ({ route: 'GET /dlq/stats' }),
  retryAll: () => ({ route: 'POST /dlq/retry-all', json: { dry_run: true } }),
  cancelRetries: ({ letter }) => ({ route: 'POST /dlq/cancel', json: { ids: [letter] } }),
  restoreDeadLetters: ({ letter }) => ({ route: 'POST /dlq/restore', json: { ids: [letter] } }),
  deadLetter: ({ letter }) => ({ route: `GET /dlq/${letter}` }),
  retryDeadLetter: ({ letter }) => ({ route: `POST /dlq/${letter}/retry`, json: { wait: 0 } }),
  tail: () => ({ route: 'GET /tail?number=0' }),
  doctor: () => ({ route: 'GET /doctor' }),
  deliveries: () => ({ route: 'GET /deliveries' }),
  testEvent: ({ change }) => ({ route: 'POST /test-event', json: { id: String(change), observers: ['ship'] } }),
  resetCheckpoint: () => ({ route: 'POST /checkpoint/reset', json: { dry_run: true, to: 'now' } }),
  configDiff: () => ({ route: 'GET /config/diff' }),
  configPreview: () => ({ route: 'GET /config/preview' }),
  verifyAudit: () => ({ route: 'GET /audit/verify' }),
  discardAll: () => ({ route: 'POST /dlq/discard', json: { dry_run: true } }),
  discardDeadLetter: ({ letter }) => ({ route: `DELETE /dlq/${letter}` }),
};
