import type { z } from 'zod';
import type { ProblemKind } from '../http/problem';
import { INVALIDATE_BODY, INVALIDATED } from '../schema/cache';
import { DETAILS, DISCARD_ALL_RESULT, DISCARD_PREVIEW, DISCARD_RESULT, DLQ, RESTORED, RETRY_ALL_RESULT, RETRY_OPEN, RETRY_RESULT, SET_PREVIEW, STATS, TAKEN_BACK } from '../schema/dead-letters'; // prettier-ignore
import { DELIVERIES, TAIL_ENTRY } from '../schema/deliveries';
import { EVENT, EVENTS, FOUND, REPLAYED, REPLAY_PREVIEW } from '../schema/events';
import { DIFF, FINDINGS, PREVIEWED, TESTED, VERIFIED } from '../schema/examinations';
import { CHECKPOINT, CONFIG_VERSIONS, DISMISSED, RESET as MOVED, UNACCOUNTED } from '../schema/history';
import { LANES, LANES_REPAIRED, LANES_RESUMED } from '../schema/lanes';
import { OBSERVERS, PAUSE_RESULT, RELOADED, RESUME_RESULT } from '../schema/observers';
import { AUDIT_QUERY, CANCEL_BODY, DELIVERIES_QUERY, DIFF_QUERY, DISCARD_BODY, DISMISS_BODY, DLQ_QUERY, EVENT_PATH, EVENT_QUERY, EVENTS_QUERY, ITEM_PATH, LANES_BODY, LANES_DEAD_LETTER_BODY, LANES_QUERY, NAME_PATH, OPERATIONS_QUERY, PREVIEW_QUERY, REASON_BODY, REPLAY_BODY, RESET_BODY, RESTORE_BODY, RETRY_ALL_BODY, RETRY_BODY, SEARCH_QUERY, STATS_QUERY, TAIL_HEADERS, TAIL_QUERY, TEST_EVENT_BODY, UNACCOUNTED_QUERY, WHY_QUERY } from '../schema/requests'; // prettier-ignore
import { BREAKERS, LISTENERS, OPERATION_PAGE, RESET, STATUS } from '../schema/status';
import { RETENTION, RETENTION_RUN } from '../schema/retention';
import { ANSWER } from '../schema/why';

/** One route: what it takes and gives. Requests are checked by the same schemas that document them. */
export interface Operation {
  readonly summary: string;
  readonly tag: string;
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** A body that may be left out. */
  readonly optionalBody?: true;
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** The answer goes on: server-sent events, whose data is of this kind. */
  readonly streams?: true;
  /** It takes a body, and changes nothing by itself: a token that may read is enough. */
  readonly looks?: true;
  /** Only the instance that leads knows, or can do it: another one passes the request on (http/leader-proxy.ts). */
  readonly leader?: true;
  /** The bounds that it keeps to. A token that is bound to anything else may not ask: the answer, or the change, would be about everybody. */
  readonly within?: readonly ('tenant' | 'observer')[];
  /** Besides those that every route may give. */
  readonly problems: readonly ProblemKind[];
}

/** By the names of the controllers' methods. A route that is not among them is an error of the documentation. */
export const OPERATIONS = {
  status: { summary: 'Who leads, how far the stream is behind, what is retried, dead or quarantined', tag: 'stream', answers: { 200: STATUS }, problems: [] },
  listeners: { summary: 'The instances, and which of them leads', tag: 'stream', answers: { 200: LISTENERS }, problems: [] },
  circuitBreakers: { summary: 'The circuit breakers of the endpoints', tag: 'stream', answers: { 200: BREAKERS }, leader: true, problems: [] },
  resetBreaker: {
    summary: 'Close a circuit breaker; the failures of its window still count, so it may open at the next one',
    tag: 'stream', path: NAME_PATH, body: REASON_BODY, optionalBody: true, answers: { 200: RESET }, problems: ['not-found', 'not-leading', 'leader-unreachable'],
  },
  tail: {
    summary: 'What happens, as it happens: events, tries with their outcomes, dead letters, quarantine, as server-sent events',
    tag: 'stream', query: TAIL_QUERY, headers: TAIL_HEADERS, answers: { 200: TAIL_ENTRY }, streams: true, within: ['tenant', 'observer'], problems: ['stopping'],
  },
  doctor: { summary: 'Everything that is known to go wrong, each with what repairs it', tag: 'stream', answers: { 200: FINDINGS }, problems: [] },
  operations: { summary: 'Who has changed what, by whatever door, newest first', tag: 'stream', query: OPERATIONS_QUERY, answers: { 200: OPERATION_PAGE }, problems: [] },
  observers: { summary: 'The observers of the configuration that leads, without its secrets', tag: 'observers', answers: { 200: OBSERVERS }, within: ['observer'], problems: [] },
  pauseObserver: {
    summary: 'Nothing more is sent for it; what it would have sent waits, in order',
    tag: 'observers', path: NAME_PATH, body: REASON_BODY, optionalBody: true, answers: { 200: PAUSE_RESULT }, within: ['observer'], problems: ['not-found'],
  },
  resumeObserver: {
    summary: 'Lets a paused observer go on with what has waited, in order',
    tag: 'observers', path: NAME_PATH, body: REASON_BODY, optionalBody: true, answers: { 200: RESUME_RESULT }, within: ['observer'], problems: ['not-found'],
  },
  reload: {
    summary: 'Read the observers file once more, here and at the instance that leads, and go on by it; no event is lost or sent twice',
    tag: 'observers', answers: { 200: RELOADED }, leader: true, problems: ['invalid-configuration', 'conflict', 'leader-unreachable'],
  },
  invalidateCache: {
    summary: 'Ask anew for what a look-up, or a URL of one, has been answered; with Redis in every instance',
    tag: 'observers', body: INVALIDATE_BODY, answers: { 200: INVALIDATED }, problems: ['not-found', 'conflict'],
  },
  search: {
    summary: 'Events by words and by what came of them, or their tries counted; for four seconds at most',
    tag: 'events', query: SEARCH_QUERY, answers: { 200: FOUND }, within: ['tenant'], problems: [],
  },
  events: { summary: 'Stored events, newest first', tag: 'events', query: EVENTS_QUERY, answers: { 200: EVENTS }, within: ['tenant'], problems: [] },
  event: {
    summary: 'Why an event did, or did not, cause what it should: every observer with its reason, every delivery with its tries',
    tag: 'events', path: EVENT_PATH, query: EVENT_QUERY, answers: { 200: EVENT }, within: ['tenant', 'observer'], problems: ['not-found'],
  },
  why: {
    summary: 'What happened to one entity, what observers made of it and what came of that; or why there is nothing, and what to do',
    tag: 'events', query: WHY_QUERY, answers: { 200: ANSWER }, problems: ['not-found'],
  },
  replayEvent: {
    summary: 'Send an event to observers once more, with the delivery ids of the first time; a look first, unless dry_run is false',
    tag: 'events', path: EVENT_PATH, body: REPLAY_BODY, answers: { 200: REPLAY_PREVIEW, 202: REPLAYED }, within: ['tenant', 'observer'], problems: ['invalid-token', 'not-found', 'conflict'],
  },
  deliveries: {
    summary: 'What has become of deliveries, newest change first: by endpoint, observer, entity, state, time',
    tag: 'events', query: DELIVERIES_QUERY, answers: { 200: DELIVERIES }, within: ['tenant', 'observer'], problems: [],
  },
  testEvent: {
    summary: 'What each observer makes of a stored or a made-up event, and what it would send; with `send` it is really sent, marked as a test',
    tag: 'events', body: TEST_EVENT_BODY, answers: { 200: TESTED }, looks: true, within: ['tenant', 'observer'], problems: ['not-found', 'conflict'],
  },
  lanes: { summary: 'Lanes of strict observers that something holds up, with what they wait for', tag: 'lanes', query: LANES_QUERY, answers: { 200: LANES }, problems: [] },
  resumeLanes: { summary: 'Try the heads of parked or waiting lanes once more; what fails again parks again', tag: 'lanes', body: LANES_BODY, answers: { 200: LANES_RESUMED }, problems: [] },
  skipLanes: { summary: 'Give the heads up for good, so that what is behind them goes on', tag: 'lanes', body: LANES_BODY, answers: { 200: LANES_REPAIRED }, problems: [] },
  deadLetterLanes: {
    summary: 'Move the heads to the dead letters, so that what is behind them goes on',
    tag: 'lanes', body: LANES_DEAD_LETTER_BODY, answers: { 200: LANES_REPAIRED }, problems: [],
  },
  checkpoint: { summary: 'Where the stream stands, and who has moved it by hand', tag: 'history', answers: { 200: CHECKPOINT }, problems: [] },
  resetCheckpoint: {
    summary: 'Move the checkpoint: a dry run says what would be skipped or read again and gives a token, the token does it; the stream rests meanwhile',
    tag: 'history', body: RESET_BODY, answers: { 200: MOVED }, leader: true, problems: ['invalid-token', 'not-found', 'conflict', 'leader-unreachable'],
  },
  retention: { summary: 'What is kept for how long, how old it is, and what keeps more than that', tag: 'history', answers: { 200: RETENTION }, problems: [] },
  runRetention: {
    summary: 'Remove now what is finished and older than it is kept, in short transactions; for twenty seconds at most, the leader goes on',
    tag: 'history', answers: { 200: RETENTION_RUN }, problems: [],
  },
  configVersions: { summary: 'The versions of the observers file that services have run with', tag: 'history', answers: { 200: CONFIG_VERSIONS }, problems: [] },
  configDiff: {
    summary: 'What changed between two versions, or from the one that leads to the file as it is, without what is secret',
    tag: 'history', query: DIFF_QUERY, answers: { 200: DIFF }, problems: ['not-found', 'conflict', 'invalid-configuration'],
  },
  configPreview: {
    summary: 'What the observers file as it is would have made of stored events, beside the version that leads; for twenty seconds at most',
    tag: 'history', query: PREVIEW_QUERY, answers: { 200: PREVIEWED }, problems: ['invalid-configuration'],
  },
  verifyAudit: {
    summary: 'Account for each committed change and each observer; for twenty seconds at most, `next` goes on',
    tag: 'history', query: AUDIT_QUERY, answers: { 200: VERIFIED }, problems: [],
  },
  unaccounted: { summary: 'Deliveries that must be on record and are not', tag: 'history', query: UNACCOUNTED_QUERY, answers: { 200: UNACCOUNTED }, problems: [] },
  dismissUnaccounted: { summary: 'Leave it at that: they stay on record, and count no longer', tag: 'history', body: DISMISS_BODY, answers: { 200: DISMISSED }, problems: [] },
  deadLetters: { summary: 'What could not be delivered, newest first', tag: 'dead letters', query: DLQ_QUERY, answers: { 200: DLQ }, within: ['tenant', 'observer'], problems: [] },
  deadLetterStats: { summary: 'How many there are, and how old they are', tag: 'dead letters', query: STATS_QUERY, answers: { 200: STATS }, within: ['tenant', 'observer'], problems: [] },
  retryAll: {
    summary: 'Try many once more: a dry run shows them and gives a token, the token acts on exactly these',
    tag: 'dead letters', body: RETRY_ALL_BODY, answers: { 200: SET_PREVIEW, 202: RETRY_ALL_RESULT }, problems: ['invalid-token', 'conflict'],
  },
  discardAll: {
    summary: 'Give many up: a dry run shows them and gives a token, the token acts on exactly these',
    tag: 'dead letters', body: DISCARD_BODY, answers: { 200: DISCARD_PREVIEW, 202: DISCARD_ALL_RESULT }, problems: ['invalid-token'],
  },
  cancelRetries: {
    summary: 'Take back what was asked for by a token of retry-all or of a replay, or item by item, as far as nobody has tried it',
    tag: 'dead letters', body: CANCEL_BODY, answers: { 200: TAKEN_BACK }, problems: ['invalid-token'],
  },
  restoreDeadLetters: {
    summary: 'Put discarded items back into the queue',
    tag: 'dead letters', body: RESTORE_BODY, answers: { 200: RESTORED }, problems: [],
  },
  deadLetter: { summary: 'One item: the event, every try, what people did to it', tag: 'dead letters', path: ITEM_PATH, answers: { 200: DETAILS }, within: ['tenant', 'observer'], problems: ['not-found'] },
  retryDeadLetter: {
    summary: 'Try one item once more, and say what came of it',
    tag: 'dead letters', path: ITEM_PATH, body: RETRY_BODY, optionalBody: true, answers: { 200: RETRY_RESULT, 202: RETRY_OPEN }, within: ['tenant', 'observer'], problems: ['not-found'],
  },
  discardDeadLetter: {
    summary: 'Take an item out of the queue for good',
    tag: 'dead letters', path: ITEM_PATH, body: REASON_BODY, optionalBody: true, answers: { 200: DISCARD_RESULT }, within: ['tenant', 'observer'], problems: ['not-found', 'conflict'],
  },
} as const satisfies Record<string, Operation>; // prettier-ignore

export type OperationName = keyof typeof OPERATIONS;
