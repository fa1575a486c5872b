#!/usr/bin/env node
// First: it is to hear a SIGHUP that comes while the rest is loaded.
import './lifecycle/hang-up';
import './cli/guard';
import 'reflect-metadata';
import { CommandFactory } from 'nest-commander';
import { CliModule } from './cli/cli.module';
import { fail } from './cli/fail';
import { VERSION } from './config/version';
import { visible } from './event/terminal';
import { hearClosedOutput } from './logging/closed-output';

hearClosedOutput();

/** The end of the command, for who runs several in one process. */
export const ended = CommandFactory.run(CliModule, {
  logger: false,
  cliName: 'fraiseql-observers',
  version: VERSION,
  usePlugins: false,
  enablePositionalOptions: true,
  errorHandler: fail,
  serviceErrorHandler: fail,
  outputConfiguration: {
    writeErr: (text) => process.stderr.write(text),
    // It quotes arguments: of the line breaks only that before its suggestion is its own.
    outputError: (text, write) =>
      write(
        `${text
          .trimEnd()
          .split(/\n(?=\(Did you mean )/)
          .map(visible)
          .join('\n')}\n`,
      ),
  },
}).catch(fail);
