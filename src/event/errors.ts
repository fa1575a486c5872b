import { types } from 'node:util';

/** What a command exits with. */
export const ExitCode = { ok: 0, error: 1, configuration: 2, connection: 3, validation: 4, notFound: 5, interrupted: 130 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** An expected failure: told to the operator as it is, with what to do about it, and without a stack. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';

  /**
   * @param message what is wrong, in one sentence
   * @param remedy what to do, as a command or a setting
   * @param exitCode what a command that fails with it exits with
   */
  constructor(
    message: string,
    readonly remedy: string,
    readonly exitCode: ExitCode = ExitCode.error,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** V8's: something calls itself for each level of a value that has too many. */
export function isStackOverflow(error: unknown): boolean {
  return types.isNativeError(error) && error.name === 'RangeError' && error.message.includes('call stack');
}

/** The message of anything that was thrown, with its causes: `a: b: c`. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  // Not instanceof: an error may come from another realm.
  if (!types.isNativeError(error)) return String(error);
  const own = error.message || ('code' in error ? String(error.code) : error.name);
  return error.cause === undefined ? own : `${own}: ${messageOf(error.cause)}`;
}
