import type { Logger } from 'pino';
import { connect } from '../../database/postgres';
import type { CaptureDefinition } from '../../event/definitions';
import { ExitCode, OperatorError } from '../../event/errors';
import { applyCapture, checkConditions, planCapture } from './capture';

export interface DriftOptions {
  readonly logger: Logger;
  /** Bring the triggers to what the file says. */
  readonly applyCapture: boolean;
  /** Refuse to go on when they differ. */
  readonly strict: boolean;
}

/** Compares the file's `capture:` with the triggers: missing or different is said, applied, or refused. */
export async function settleDrift(url: string, captures: readonly CaptureDefinition[], options: DriftOptions): Promise<void> {
  const { logger, applyCapture: apply, strict } = options;
  const client = await connect(url, 'capture');
  try {
    const plans = await planCapture(client, captures);
    const open = plans.filter(({ state }) => state !== 'current');
    if (apply) {
      await checkConditions(client, captures);
      await applyCapture(client, plans);
    }
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
  } finally {
    await client.end();
  }
}
