import type { EntityEvent } from '../event/entity-event';
import type { JsonDocument } from '../event/json-document';
import { EvaluationError } from './condition/errors';
import { sameJson } from './condition/values';
import { descend, documentValue, MISSING } from './path';

/**
 * Whether an update is known to have changed nothing that observers see. What its producer names has changed, masked columns included; `[]`
 * holds unless the images contradict it. Where neither names nor both images are there, nothing is known, and the answer is false.
 */
export function changedNothing(event: EntityEvent): boolean {
  const { kind, changed, before, data } = event;
  if (kind !== 'update' || (changed !== null && changed.length > 0)) return false;
  if (before === null || data === null) return changed !== null;
  return before.text === data.text || sameImages(event, before, data);
}

/** Many observers ask about one event. */
const compared = new WeakMap<EntityEvent, boolean>();

function sameImages(event: EntityEvent, before: JsonDocument, data: JsonDocument): boolean {
  let same = compared.get(event);
  if (same === undefined) {
    try {
      same = sameJson(before.value, data.value);
    } catch {
      // A row that cannot be read (nested too deep) is not known to be the same.
      same = false;
    }
    compared.set(event, same);
  }
  return same;
}

/**
 * Those of these columns that an update has changed: named by its producer, or different in the images. A list of names may be short of a
 * column that was added since the capture was applied.
 *
 * @throws EvaluationError where neither names nor both images are there: as with CHANGED, "none" would hide that
 */
export function changedAmong(columns: readonly string[], event: EntityEvent): string[] {
  const { changed, before, data } = event;
  const named = columns.filter((column) => changed?.includes(column));
  if (named.length > 0) return named;
  if (before === null || data === null) {
    if (changed !== null) return [];
    throw new EvaluationError(
      `columns: [${columns.join(', ')}] needs the names of the changed columns or the before-image, and this update has neither`,
    );
  }
  // Whoever names the columns that changed may write no more than these into the before-image.
  const oneSided = changed === null || changed.length === 0;
  return before.text === data.text ? [] : columns.filter((column) => differs(column, event, oneSided));
}

function differs(column: string, { before, data }: EntityEvent, oneSided: boolean): boolean {
  const was = descend(documentValue(before), [column]);
  const is = descend(documentValue(data), [column]);
  if (was === MISSING || is === MISSING) return was !== is && oneSided;
  return !sameJson(was, is);
}
