import { closest, distance } from 'fastest-levenshtein';
import { counted } from '../event/counted';
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
    const count = `${counted(problems.length, 'problem')} in the configuration`;
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
  const nearest = nearestOf(written, known);
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}

/** What somebody may have meant: a word or two letters off, of a short word one. */
export function nearestOf(written: string, known: readonly string[]): string | null {
  if (known.length === 0) return null;
  const folded = written.toLowerCase();
  const nearest = closest(folded, known.map((name) => name.toLowerCase())); // prettier-ignore
  const name = known.find((one) => one.toLowerCase() === nearest) ?? nearest;
  const [own, its] = withoutCommonWords(folded, nearest);
  return edits(own, its) <= allowedEdits(Math.min(own.length, its.length)) ? name : null;
}

/** What distinguishes two names: of `observers_foo` and `observers_port` the words behind those that both begin with. */
function withoutCommonWords(a: string, b: string): [string, string] {
  let common = 0;
  for (let i = 0; i < Math.min(a.length, b.length) && a[i] === b[i]; i++) if ('_.-'.includes(a[i] ?? '')) common = i + 1;
  return [a.slice(common), b.slice(common)];
}

/** Two letters that changed places are one slip. */
function edits(a: string, b: string): number {
  const found = distance(a, b);
  const sorted = (text: string): string => [...text].sort().join('');
  return found === 2 && a.length === b.length && sorted(a) === sorted(b) ? 1 : found;
}

function allowedEdits(length: number): number {
  return length < 5 ? 1 : length < 9 ? 2 : 3;
}
