import type { ClientBase } from 'pg';
import type { Logger } from 'pino';
import type { CaptureDefinition } from '../../event/definitions';
import type { DriftChoice } from '../../event/drift-choice';
import { ExitCode, OperatorError } from '../../event/errors';
import { applyCapture, planCapture, unreadableConditions, type CapturePlan } from './capture';

export interface DriftOptions extends DriftChoice {
  readonly logger: Logger;
}

/** Compares the file's `capture:` with the triggers: missing or different is said, applied, or refused. */
export async function settleDrift(client: ClientBase, captures: readonly CaptureDefinition[], options: DriftOptions): Promise<void> {
  const { logger, applyCapture: apply, strict } = options;
  const planned = await planCapture(client, captures);
  const plans = apply ? await withoutUnreadable(client, captures, planned) : planned;
  const open = plans.filter(({ state }) => state !== 'current');
  if (apply) await applyCapture(client, plans);
  for (const { table, state, reasons, sql } of open) {
    if (apply && sql.length > 0) logger.info({ table, was: state }, 'capture applied');
    else
      logger.warn(
        { table, state, reasons },
        sql.length > 0
          ? 'capture differs from the observers file: run `capture apply`, or start with --apply'
          : 'capture differs from the observers file',
      );
  }
  const unmet = open.filter(({ state, sql }) => state === 'impossible' || (!apply && sql.length > 0));
  if (strict && unmet.length > 0) {
    const tables = unmet.map(({ table }) => table).join(', ');
    throw new OperatorError(
      `the capture of ${tables} differs from the observers file`,
      'Run: fraiseql-observers capture apply, and see what capture check says.',
      ExitCode.configuration,
    );
  }
}

/** A condition that the database cannot read (it names a column that was dropped) costs its own table, and not all the others. */
async function withoutUnreadable(
  client: ClientBase,
  captures: readonly CaptureDefinition[],
  plans: readonly CapturePlan[],
): Promise<CapturePlan[]> {
  const errors = await unreadableConditions(client, captures);
  // The plans of the captures come first, in their order.
  return plans.map((plan, index) => {
    const error = errors[index] ?? null;
    if (error === null || plan.sql.length === 0) return plan;
    return { ...plan, state: 'impossible', reasons: [`${error.message}. ${error.remedy}`], sql: [] };
  });
}
