import { readFileSync } from 'node:fs';
import type { Settings } from '../../config/settings';
import type { EntityEvent } from '../../event/entity-event';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { withServices } from '../modules';
import { isUuid } from '../values';

/** @param file a path, or - for what is piped in */
export async function eventFromFile(file: string): Promise<EntityEvent> {
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
export async function storedEvent(settings: Settings, id: string): Promise<EntityEvent> {
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
