import type { ReplayPlan } from '../../listener/replay-scan';
import type { ChangeRange } from '../../listener/stored-changes.sql';
import type { ObserverDefinition } from '../../event/definitions';
import { ExitCode, OperatorError } from '../../event/errors';
import { configurationOf } from '../command';
import { withDatabase } from '../database';
import type { ReplayFlags } from './flags';

const SAMPLE = 10;

export interface Preview {
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
  }[];
  readonly token: string | null;
}

/** Evaluates the conditions over the range, in a transaction that PostgreSQL itself keeps from writing anything. */
export async function preview(flags: ReplayFlags): Promise<Preview> {
  const { readCheckpoint } = await import('../../checkpoint/checkpoint.sql');
  const { issueToken } = await import('../../delivery/set-token');
  const { settings, file } = await configurationOf(flags);
  const chosen = chooseObservers(file.definition.observers, flags);
  return withDatabase(settings, async (client) => {
    await client.query('begin read only');
    try {
      // What comes later is still on its way: to replay it would be to overtake it.
      const snapshot = (await readCheckpoint(client, settings.stream))?.previous;
      if (snapshot === undefined) throw notStarted(settings.stream);
      const plan = { stream: settings.stream, range: rangeOf(flags), ...chosen, snapshot, now: Date.now(), config: file.source.hash };
      const counted = await count(client, file.definition.observers, plan, settings.maxEventSize);
      const token = counted.count === 0 ? null : await issueToken(client, 'replay', { ...plan, count: counted.count });
      return { ...counted, token };
    } finally {
      await client.query('rollback');
    }
  });
}

async function count(
  client: Parameters<typeof import('../../listener/replay-scan').scanReplay>[0],
  observers: readonly ObserverDefinition[],
  plan: Omit<ReplayPlan, 'count'>,
  maxEventSize: number,
): Promise<Omit<Preview, 'token'>> {
  const { scanReplay } = await import('../../listener/replay-scan');
  const { Matcher } = await import('../../matching/matcher');
  const matcher = new Matcher(observers);
  const sample: Preview['sample'][number][] = [];
  const sum = { events: 0, count: 0, unanswerable: 0, unreadable: 0 };
  let page = await scanReplay(client, matcher, plan, 0, maxEventSize);
  for (; page !== null; page = await scanReplay(client, matcher, plan, page.last, maxEventSize)) {
    sum.events += page.events;
    sum.count += page.deliveries.length;
    sum.unanswerable += page.unanswerable;
    sum.unreadable += page.unreadable;
    for (const { event, observer, action } of page.deliveries.slice(0, SAMPLE - sample.length)) {
      const { changeNumber, timestamp, id, entityType, entityKey } = event;
      sample.push({
        changeNumber,
        timestamp,
        entity: `${entityType} ${entityKey}`,
        event: id,
        observer: observer.name,
        action: action.name,
      });
    }
  }
  return { ...sum, sample };
}

function rangeOf(flags: ReplayFlags): ChangeRange {
  const { entityType = null, entityKey = null, after = null, before = null, fromChange = null, toChange = null, event = null } = flags;
  return { entityType, entityKey, after, before, fromChange, toChange, event };
}

function chooseObservers(known: readonly ObserverDefinition[], flags: ReplayFlags): Pick<ReplayPlan, 'observers' | 'actions'> {
  const observers = (flags.observer ?? '').split(',').filter((name) => name !== '');
  const remedy = `There are: ${known.map(({ name }) => name).join(', ')}.`;
  if (observers.length === 0) throw new OperatorError('no observer is named: --observer NAME, or several separated by commas', remedy);
  const missing = observers.find((name) => !known.some((observer) => observer.name === name));
  if (missing !== undefined) throw new OperatorError(`there is no observer "${missing}" in the file`, remedy, ExitCode.notFound);
  const inShadow = known.find(({ name, mode }) => mode === 'shadow' && observers.includes(name));
  if (inShadow !== undefined)
    throw new OperatorError(`the observer ${inShadow.name} is in shadow, and sends nothing`, `To see what it would send: fraiseql-observers test-event --observer ${inShadow.name} --event-id ID`); // prettier-ignore
  const actions = flags.action?.split(',').filter((name) => name !== '') ?? null;
  const has = (name: string): boolean =>
    known.some((observer) => observers.includes(observer.name) && observer.actions.some((action) => action.name === name));
  const absent = actions?.find((name) => !has(name));
  if (absent !== undefined) throw new OperatorError(`none of these observers has an action "${absent}"`, 'See: validate-config --detailed', ExitCode.notFound); // prettier-ignore
  return { observers, actions };
}

function notStarted(stream: string): OperatorError {
  return new OperatorError(
    `the stream "${stream}" has never been read, so there is nothing to send again`,
    'Start the service first: fraiseql-observers start',
    ExitCode.notFound,
  );
}
