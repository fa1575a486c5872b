import { closest, distance } from 'fastest-levenshtein';
import { ExitCode, messageOf, OperatorError } from '../event/errors';

/** One thing that is wrong, and where. */
export interface Problem {
  /** The file, or `environment`. */
  readonly file: string;
  /** 1-based; 0 where there is no line. */
  readonly line: number;
  readonly column: number;
  /** `observers[2].actions[0].url`, or the variable's name. */
  readonly path: string;
  readonly message: string;
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigurationError extends OperatorError {
  constructor(readonly problems: readonly Problem[]) {
    const count = `${problems.length} problem${problems.length === 1 ? '' : 's'} in the configuration`;
    super(`${count}\n${problems.map((problem) => `  ${describeProblem(problem)}`).join('\n')}`, '', ExitCode.configuration);
  }
}

/** Why a configuration could not be loaded, in one line. */
export function describeFailure(error: unknown): string {
  return error instanceof ConfigurationError ? error.problems.map(describeProblem).join('; ') : messageOf(error);
}

export function describeProblem({ file, line, column, path, message }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  // One line, whatever the name of a file or a key of it holds.
  return (path === '' ? `${place} ${message}` : `${place} ${path}: ${message}`).replaceAll('\n', '\\n');
}

/** `; did you mean "x"?` when something known is near, else nothing. */
export function didYouMean(written: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const nearest = closest(written, known);
  return distance(written, nearest) <= Math.max(2, Math.floor(nearest.length / 3)) ? `; did you mean "${nearest}"?` : '';
}
