#!/usr/bin/env node
// First: it is to hear a SIGHUP that comes while the rest is loaded.
import './lifecycle/hang-up';
import 'reflect-metadata';
import { CommandFactory } from 'nest-commander';
import { createColors } from 'picocolors';
import { CliModule } from './cli/cli.module';
import { VERSION } from './config/version';
import { inPlainWords } from './database/plain-words';
import { ExitCode, messageOf, OperatorError } from './event/errors';

/** The end of the command, for who runs several in one process. */
export const ended = CommandFactory.run(CliModule, {
  logger: false,
  cliName: 'fraiseql-observers',
  version: VERSION,
  usePlugins: false,
  enablePositionalOptions: true,
  errorHandler: fail,
  serviceErrorHandler: fail,
  outputConfiguration: { writeErr: (text) => process.stderr.write(text) },
}).catch(fail);

/**
 * Ends a command: what is wrong and what to do on stderr, the exit code by its kind. A stack is shown for our own mistakes, and with
 * --verbose, which is looked for here because flags may be what is wrong.
 */
function fail(thrown: unknown): never {
  const error = inPlainWords(thrown);
  const colors = createColors(process.stderr.isTTY);
  // commander has printed its own usage errors, and exits 0 for --help and --version by throwing too.
  const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
  if (typeof code === 'string' && code.startsWith('commander.')) process.exit(Number(exitCode) === 0 ? ExitCode.ok : ExitCode.error);
  if (error instanceof OperatorError) {
    process.stderr.write(`${colors.red('error')}: ${error.message}\n${error.remedy === '' ? '' : `${colors.cyan('→')} ${error.remedy}\n`}`);
    if (process.argv.includes('--verbose')) process.stderr.write(`${stackOf(error)}\n`);
    process.exit(error.exitCode);
  }
  process.stderr.write(`${colors.red('unexpected error')}: ${stackOf(error)}\n`);
  process.exit(ExitCode.error);
}

/** Where it was thrown, and where its causes were. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return messageOf(error);
  return error.cause === undefined ? error.stack : `${error.stack}\ncaused by: ${stackOf(error.cause)}`;
}
