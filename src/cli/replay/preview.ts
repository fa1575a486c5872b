import type { ReplayPreview } from '../../redrive/replay-preview';
import type { ChangeRange } from '../../change-log/stored-changes.sql';
import { OperatorError } from '../../event/errors';
import { configurationOf } from '../command';
import { withDatabase } from '../modules';
import type { ReplayFlags } from './flags';

/** Evaluates the conditions over the range of the flags; changes nothing. */
export async function preview(flags: ReplayFlags): Promise<ReplayPreview> {
  const { previewReplay } = await import('../../redrive/replay-preview');
  const { settings, file } = await configurationOf(flags);
  const known = file.definition.observers;
  const observers = namesIn(flags.observer) ?? [];
  if (observers.length === 0)
    throw new OperatorError(
      'no observer is named: --observer NAME, or several separated by commas',
      `There are: ${known.map(({ name }) => name).join(', ')}.`,
    );
  const { stream, maxEventSize } = settings;
  const actions = namesIn(flags.action);
  const request = { stream, range: rangeOf(flags), observers, actions, config: file.source.hash, known, maxEventSize };
  return withDatabase(settings, (client) => previewReplay(client, request));
}

function namesIn(list: string | undefined): string[] | null {
  return list?.split(',').filter((name) => name !== '') ?? null;
}

function rangeOf(flags: ReplayFlags): ChangeRange {
  const { entityType = null, entityKey = null, after = null, before = null, fromChange = null, toChange = null, event = null } = flags;
  return { entityType, entityKey, after, before, fromChange, toChange, event };
}
