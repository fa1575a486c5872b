import { MemoryCache } from '../../cache/memory-cache';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { textsIn } from '../../config/redaction';
import type { Settings } from '../../config/settings';
import { hopsOf } from '../../event/cause';
import { SystemClock } from '../../event/clock';
import type { Redactor } from '../../event/definitions';
import { idOf, type Delivery } from '../../event/delivery';
import type { EntityEvent } from '../../event/entity-event';
import { ExitCode, OperatorError, messageOf } from '../../event/errors';
import { Renderer } from '../../dry-run/renderer';
import { tryEvent, type ObserverTrial, type Trial } from '../../dry-run/trial';
import { Lookups } from '../../lookups/lookups';
import type { GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { withServices } from '../modules';
import { counted, cut } from '../output';
import { isUuid } from '../values';
import { dryConfiguration, type DryConfiguration } from './dry-configuration';

export interface TestEventFlags extends GlobalOptions {
  readonly eventId?: string;
  readonly file?: string;
  readonly sample?: boolean;
  readonly observer?: readonly string[];
  readonly withLookups?: boolean;
  readonly send?: boolean;
  readonly yes?: boolean;
}

/** What became of one delivery that was really sent. */
export interface SentDelivery {
  readonly observer: string;
  readonly action: string;
  /** Its own: not that of the real delivery. */
  readonly id: string;
  readonly ok: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly message: string | null;
  /** The beginning of a failure's answer. */
  readonly response: string | null;
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
  const { send = false, withLookups = false, yes = false } = flags;
  const dry = await dryConfiguration(flags, send);
  const { file, settings } = dry.configuration;
  const { definition } = file;
  const { redaction } = definition;
  const logger = send ? pino({ level: 'info' }, pino.destination({ fd: 2, sync: true })) : pino({ level: 'silent' });
  const renderer = new Renderer(definition.observers, redaction, logger, dry.connections);
  const lookups = new Lookups(new MemoryCache(), new SystemClock(), pino({ level: 'silent' }), { lookedUp: () => undefined });
  try {
    requireKnown(flags.observer ?? [], dry);
    const event =
      flags.file === undefined
        ? await storedEvent(settings, flags.eventId ?? '')
        : asNamed(await eventFromFile(flags.file), flags.observer ?? definition.observers.map(({ name }) => name));
    const trials = await tryEvent(event, {
      matcher: dry.matcher,
      renderer,
      redaction,
      lookups,
      ask: withLookups || send,
      now: Date.now(),
      observers: flags.observer ?? null,
      testId: () => (send ? randomUUID() : undefined),
    });
    const notes = [...dry.notes, ...loopNote(event, settings.maxHops)];
    const run = { event, observers: trials.map(({ shown }) => shown), notes };
    show(run);
    return { ...run, sent: send ? await sendAll(trials, renderer, redaction, yes) : null };
  } finally {
    await Promise.all([renderer.close(), lookups.close()]);
    await dry.custom.close();
  }
}

/** Of a backfill, which a file may hold: as if it were for these. */
function asNamed(event: EntityEvent, observers: readonly string[]): EntityEvent {
  return event.backfill === null ? event : { ...event, backfill: { ...event.backfill, observers } };
}

function requireKnown(names: readonly string[], { configuration }: DryConfiguration): void {
  const known = configuration.file.definition.observers.map(({ name }) => name);
  const missing = names.find((name) => !known.includes(name));
  if (missing !== undefined)
    throw new OperatorError(`there is no observer "${missing}" in the file`, `There are: ${known.join(', ')}.`, ExitCode.notFound);
}

function loopNote({ cause }: EntityEvent, maxHops: number): string[] {
  return hopsOf(cause) >= maxHops
    ? [
        `${counted(maxHops, 'delivery', 'deliveries')} brought it about (OBSERVERS_MAX_HOPS): the service would make dead letters of its deliveries`,
      ]
    : [];
}

async function sendAll(trials: readonly Trial[], renderer: Renderer, redaction: Redactor, yes: boolean): Promise<SentDelivery[]> {
  // One that is undecided here has had its look-ups, and is not: every other verdict sends nothing.
  const deliveries = trials
    .filter(({ shown }) => shown.verdict === 'matched' && shown.mode === 'live')
    .flatMap((trial) => trial.deliveries);
  if (deliveries.length === 0) return [];
  const committed = deliveries.filter(({ action }) => action.type === 'database').length;
  const commits =
    committed === 0 ? '' : `, of which ${counted(committed, 'calls a function', 'call functions')} in the database and commit`;
  await confirm(`Really send ${counted(deliveries.length, 'delivery', 'deliveries')}${commits}?`, yes);
  return Promise.all(deliveries.map((delivery) => sendOne(delivery, renderer, redaction)));
}

async function sendOne(delivery: Delivery, renderer: Renderer, redaction: Redactor): Promise<SentDelivery> {
  const { observer, action } = delivery;
  const outcome = await renderer.run(delivery);
  const said = { observer: observer.name, action: action.name, id: idOf(delivery), ok: outcome.ok, status: outcome.status };
  if (outcome.ok) return { ...said, error: null, message: outcome.skipped ?? null, response: null };
  const texts = textsIn(action);
  const { error, message, excerpt } = outcome;
  const response = excerpt === null ? null : redaction.text(cut(excerpt, 1_000), texts);
  return { ...said, error, message: redaction.text(message, texts), response };
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
