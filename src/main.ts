#!/usr/bin/env node
// First: it is to hear a SIGHUP that comes while the rest is loaded.
import './lifecycle/hang-up';
import 'reflect-metadata';
import { CommandFactory } from 'nest-commander';
import { CliModule } from './cli/cli.module';
import { fail } from './cli/fail';
import { VERSION } from './config/version';
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
  outputConfiguration: { writeErr: (text) => process.stderr.write(text) },
}).catch(fail);
