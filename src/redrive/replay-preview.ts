import { rolledBack } from '../database/transaction';
import type { ClientBase } from 'pg';
import { readCheckpoint } from '../checkpoint/checkpoint.sql';
import { issueToken } from './set-token';
import type { ObserverDefinition } from '../event/definitions';
import { ExitCode, OperatorError } from '../event/errors';
import { Matcher } from '../matching/matcher';
import { FEW_ROWS, PageSize } from '../change-log/page-size';
import { scanReplay, type ReplayPlan } from './replay-scan';
import type { ChangeRange } from '../change-log/stored-changes.sql';

const SAMPLE = 10;

/** What a replay would send. */
export interface ReplayPreview {
  readonly events: number;
  /** Deliveries. */
  readonly count: number;
  readonly unanswerable: number;
  readonly unreadable: number;
  readonly sample: readonly {
    changeNumber: number;
    timestamp: string;
    entity: string;
    event: string;
    observer: string;
    action: string;
    /** When it was delivered before; null: not as far as is on record. */
    deliveredAt: string | null;
  }[];
  /** Of the deliveries those that have been made before, or needed none, and when. */
  readonly delivered: { readonly count: number; readonly first: string | null; readonly last: string | null };
  /** Of the deliveries those of which it is not known: their changes are older than the tries that are kept. */
  readonly unknown: number;
  /** Stands for exactly these; null when there are none. */
  readonly token: string | null;
}

/** What is asked for: a range of changes, and who of the configured observers is to have them. */
export interface ReplayRequest {
  readonly stream: string;
  readonly range: ChangeRange;
  readonly observers: readonly string[];
  /** Null: all of the observers'. */
  readonly actions: readonly string[] | null;
  /** Hash of the observers file that `known` is of. */
  readonly config: string;
  readonly known: readonly ObserverDefinition[];
  readonly maxEventSize: number;
  /** Milliseconds for which tries are kept. */
  readonly retention: number;
  /** Only what has not been delivered, as far as is on record. */
  readonly onlyMissing: boolean;
}

/**
 * Evaluates the conditions over the range, in a transaction that PostgreSQL itself keeps from writing anything. Only the token is put down.
 *
 * @throws OperatorError when there is no such observer or action, or the stream has never been read
 */
export async function previewReplay(client: ClientBase, request: ReplayRequest): Promise<ReplayPreview> {
  const { stream, range, observers, actions, config, onlyMissing, retention } = request;
  requireKnown(request);
  const { plan, ...counted } = await rolledBack(client, 'begin read only', async () => {
    // What comes later is still on its way: to replay it would be to overtake it.
    const snapshot = (await readCheckpoint(client, stream))?.previous;
    if (snapshot === undefined) throw notStarted(stream);
    const now = Date.now();
    const knownSince = new Date(now - retention).toISOString();
    const looked = { stream, range, observers, actions, snapshot, now, config, onlyMissing, knownSince };
    return { plan: looked, ...(await count(client, request, looked)) };
  });
  const token = counted.count === 0 ? null : await issueToken(client, 'replay', { ...plan, count: counted.count });
  return { ...counted, token };
}

async function count(
  client: ClientBase,
  { known, maxEventSize }: ReplayRequest,
  plan: Omit<ReplayPlan, 'count'>,
): Promise<Omit<ReplayPreview, 'token'>> {
  const matcher = new Matcher(known);
  const sample: ReplayPreview['sample'][number][] = [];
  const sum = { events: 0, count: 0, unanswerable: 0, unreadable: 0, unknown: 0 };
  const times: string[] = [];
  const pageSize = new PageSize(FEW_ROWS);
  let page = await scanReplay(client, matcher, plan, 0, maxEventSize, pageSize);
  for (; page !== null; page = await scanReplay(client, matcher, plan, page.last, maxEventSize, pageSize)) {
    sum.events += page.events;
    sum.count += page.deliveries.length;
    sum.unanswerable += page.unanswerable;
    sum.unreadable += page.unreadable;
    sum.unknown += page.deliveries.filter(({ known }) => !known).length;
    times.push(...page.deliveries.flatMap(({ deliveredAt }) => deliveredAt ?? []));
    for (const { event, observer, action, deliveredAt } of page.deliveries.slice(0, SAMPLE - sample.length)) {
      const { changeNumber, timestamp, id, entityType, entityKey } = event;
      sample.push({
        changeNumber,
        timestamp,
        entity: `${entityType} ${entityKey}`,
        event: id,
        observer: observer.name,
        action: action.name,
        deliveredAt,
      });
    }
  }
  times.sort(byTime);
  return { ...sum, sample, delivered: { count: times.length, first: times[0] ?? null, last: times.at(-1) ?? null } };
}

function byTime(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}

function requireKnown({ known, observers, actions }: ReplayRequest): void {
  const remedy = `There are: ${known.map(({ name }) => name).join(', ')}.`;
  const missing = observers.find((name) => !known.some((observer) => observer.name === name));
  if (missing !== undefined) throw new OperatorError(`there is no observer "${missing}" in the file`, remedy, ExitCode.notFound);
  const inShadow = known.find(({ name, mode }) => mode === 'shadow' && observers.includes(name));
  if (inShadow !== undefined)
    throw new OperatorError(`the observer ${inShadow.name} is in shadow, and sends nothing`, `To see what it would send: fraiseql-observers test-event --observer ${inShadow.name} --event-id ID`); // prettier-ignore
  const has = (name: string): boolean =>
    known.some((observer) => observers.includes(observer.name) && observer.actions.some((action) => action.name === name));
  const absent = actions?.find((name) => !has(name));
  if (absent !== undefined)
    throw new OperatorError(`none of these observers has an action "${absent}"`, 'See: validate-config --detailed', ExitCode.notFound);
}

function notStarted(stream: string): OperatorError {
  return new OperatorError(
    `the stream "${stream}" has never been read, so there is nothing to send again`,
    'Start the service first: fraiseql-observers start',
    ExitCode.notFound,
  );
}
