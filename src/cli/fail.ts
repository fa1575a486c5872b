import { inPlainWords } from '../database/plain-words';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { colorsFor, visible, visibleLines, writeTrusted } from '../event/terminal';

/**
 * Ends a command: what is wrong and what to do on stderr, the exit code by its kind. A stack is shown for our own mistakes, and with
 * --verbose, which is looked for here because flags may be what is wrong.
 */
export function fail(thrown: unknown): never {
  const error = inPlainWords(thrown);
  const colors = colorsFor(process.stderr.isTTY);
  const say = (text: string): void => void writeTrusted(process.stderr, `${text}\n`);
  // commander has printed its own usage errors, and exits 0 for --help and --version by throwing too.
  const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
  if (typeof code === 'string' && code.startsWith('commander.')) process.exit(Number(exitCode) === 0 ? ExitCode.ok : ExitCode.error);
  if (error instanceof OperatorError) {
    // Of a configuration all problems are told, a line each; every other message is one line, and a line break in it a value's.
    const shown = 'problems' in error ? visibleLines : visible;
    say(shown(`${colors.red('error')}: ${error.message}`));
    if (error.remedy !== '') say(visible(`${colors.cyan('→')} ${error.remedy}`));
    if (process.argv.includes('--verbose')) say(visibleLines(stackOf(error)));
    process.exit(error.exitCode);
  }
  say(visibleLines(`${colors.red('unexpected error')}: ${stackOf(error)}`));
  process.exit(ExitCode.error);
}

/** Where it was thrown, and where its causes were. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return messageOf(error);
  return error.cause === undefined ? error.stack : `${error.stack}\ncaused by: ${stackOf(error.cause)}`;
}
