import { readFileSync } from 'node:fs';
import pino from 'pino';
import type { Settings } from '../../config/settings';
import type { Delivery } from '../../event/delivery';
import type { EntityEvent } from '../../event/entity-event';
import { ExitCode, OperatorError, messageOf } from '../../event/errors';
import { TestBench, type SentDelivery } from '../../dry-run/test-bench';
import type { ObserverTrial } from '../../dry-run/trial';
import type { GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { withServices } from '../modules';
import { counted } from '../output';
import { isUuid } from '../values';
import { dryConfiguration } from './dry-configuration';

export interface TestEventFlags extends GlobalOptions {
  readonly eventId?: string;
  readonly file?: string;
  readonly sample?: boolean;
  readonly observer?: readonly string[];
  readonly withLookups?: boolean;
  readonly send?: boolean;
  readonly yes?: boolean;
}

export interface TestRun {
  readonly event: EntityEvent;
  readonly observers: readonly ObserverTrial[];
  readonly notes: readonly string[];
  /** Null without --send. */
  readonly sent: readonly SentDelivery[] | null;
}

/** @param show told what would be sent, before anything is */
export async function testEvent(flags: TestEventFlags, show: (run: Omit<TestRun, 'sent'>) => void): Promise<TestRun> {
  const { send = false, withLookups: ask = false, yes = false, observer: observers = null } = flags;
  const { configuration, matcher, custom, connections, notes } = await dryConfiguration(flags, send);
  const { file, settings } = configuration;
  const silent = pino({ level: 'silent' });
  const logger = send ? pino({ level: 'info' }, pino.destination({ fd: 2, sync: true })) : silent;
  const { definition } = file;
  const bench = new TestBench({ definition, matcher, maxHops: settings.maxHops, logger, silent, connections });
  try {
    bench.requireKnown(observers ?? []);
    const event =
      flags.file === undefined ? await storedEvent(settings, flags.eventId ?? '') : bench.named(await eventFromFile(flags.file), observers);
    const tried = await bench.run(event, { observers, ask, send });
    const run = { event, observers: tried.observers, notes: [...notes, ...tried.notes] };
    show(run);
    if (!send) return { ...run, sent: null };
    if (tried.deliveries.length > 0) await confirmSending(tried.deliveries, yes);
    return { ...run, sent: await bench.send(tried.deliveries) };
  } finally {
    await bench.close();
    await custom.close();
  }
}

async function confirmSending(deliveries: readonly Delivery[], yes: boolean): Promise<void> {
  const committed = deliveries.filter(({ action }) => action.type === 'database').length;
  const commits =
    committed === 0 ? '' : `, of which ${counted(committed, 'calls a function', 'call functions')} in the database and commit`;
  await confirm(`Really send ${counted(deliveries.length, 'delivery', 'deliveries')}${commits}?`, yes);
}

/** @param file a path, or - for what is piped in */
async function eventFromFile(file: string): Promise<EntityEvent> {
  const { readEvent } = await import('../../dry-run/sample');
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new OperatorError(`the file ${file} cannot be read: ${messageOf(error)}`, 'fraiseql-observers test-event --sample prints one.');
  }
  return readEvent(text, file === '-' ? 'what was piped in' : file);
}

/** @param id of the event, or its change number */
async function storedEvent(settings: Settings, id: string): Promise<EntityEvent> {
  const { ExplainModule } = await import('../../explain/explain.module');
  const { StoredEvents } = await import('../../explain/stored-events.service');
  const decoded = await withServices(settings, [ExplainModule], async (get) => {
    const events = get(StoredEvents);
    const change = isUuid(id) ? await events.find(id) : Number(id);
    return change === null ? null : events.read(change, settings.maxEventSize);
  });
  if (decoded?.is === 'event') return decoded.event;
  if (decoded === null)
    throw new OperatorError(
      `there is no event ${id} in the change log: it was never captured, or is older than what is kept (OBSERVERS_RETENTION)`,
      'The last events: fraiseql-observers debug-event --history 20',
      ExitCode.notFound,
    );
  const why = decoded.is === 'ignored' ? 'it is no change (NOOP, READ)' : decoded.message;
  throw new OperatorError(`change ${id} is no event: ${why}`, 'See: fraiseql-observers debug-event --event-id', ExitCode.validation);
}
