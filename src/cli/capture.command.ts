import { Command, Option, SubCommand } from 'nest-commander';
import type { CapturePlan } from '../change-log/capture/capture';
import { ExitCode, OperatorError } from '../event/errors';
import { configurationOf, CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { onDatabase, withDatabase } from './modules';
import { confirm } from './confirm';
import { BREAK, colors, print, printJson, printTable, printText } from './output';

async function plans(flags: GlobalOptions): Promise<CapturePlan[]> {
  const { planCapture } = await import('../change-log/capture/capture');
  const { settings, file } = await configurationOf(flags);
  return withDatabase(settings, (client) => planCapture(client, file.definition.captures));
}

/** What cannot be captured as the file says does not keep the others from it. */
function refuseImpossible(all: readonly CapturePlan[]): void {
  const impossible = all.filter(({ state }) => state === 'impossible');
  for (const { table, reasons } of impossible) print(`${colors.red(table)}: ${reasons.join('; ')}`);
  if (impossible.length > 0) process.exitCode = ExitCode.configuration;
}

/** What the file names and the database does not have. */
async function tellColumns(flags: GlobalOptions): Promise<void> {
  const { describeProblem } = await import('../config/problems');
  const { examineColumns } = await import('../doctor/file-warnings');
  const { settings, file } = await configurationOf(flags);
  const { errors, warnings } = await withDatabase(settings, (client) => examineColumns(client, file));
  for (const problem of errors) tell(flags, `error ${describeProblem(problem)}`);
  for (const problem of [...file.warnings, ...warnings]) tell(flags, `warning ${describeProblem(problem)}`);
}

/** A comment within the SQL, and beside it where that is JSON. */
function tell(flags: GlobalOptions, line: string): void {
  if (flags.format === 'json') process.stderr.write(`${line}\n`);
  else print(`-- ${line}`);
}

@SubCommand({ name: 'plan', description: 'show the SQL that capture apply would run; changes nothing' })
class CapturePlanCommand extends ObserversCommand {
  protected readonly examples = [['the SQL, to be looked at', 'capture plan']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    await tellColumns(flags);
    const { checkConditions, planCapture } = await import('../change-log/capture/capture');
    const { ownerNote, ownerOf } = await import('../change-log/capture/owner');
    const { settings, file } = await configurationOf(flags);
    const { all, note } = await withDatabase(settings, async (client) => {
      await checkConditions(client, file.definition.captures);
      return { all: await planCapture(client, file.definition.captures), note: ownerNote(await ownerOf(client)) };
    });
    if (note !== null && all.some(({ sql }) => sql.length > 0)) tell(flags, note);
    if (all.some(({ state }) => state === 'impossible')) process.exitCode = ExitCode.configuration;
    if (flags.format === 'json') return printJson(all);
    for (const { table, state, reasons, sql } of all) {
      const what = `${table}: ${state}${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`;
      // A name may hold a line break, behind which a comment would be SQL.
      print(`-- ${what.replace(/\s+/g, ' ')}`);
      if (sql.length > 0) printText(`${sql.join(';\n')};\n`);
    }
  }
}

@SubCommand({ name: 'apply', description: 'create or repair the capture triggers that the observers file asks for' })
class CaptureApplyCommand extends ObserversCommand {
  protected readonly examples = [
    ['ask, then do it', 'capture apply'],
    ['in a script', 'capture apply --yes'],
  ] as const;

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run(_args: string[], flags: GlobalOptions & { yes?: boolean }): Promise<void> {
    const { applyCapture, checkConditions, planCapture } = await import('../change-log/capture/capture');
    const { ownerNote, ownerOf } = await import('../change-log/capture/owner');
    const { settings, file } = await configurationOf(flags);
    await withDatabase(settings, async (client) => {
      await checkConditions(client, file.definition.captures);
      const all = await planCapture(client, file.definition.captures);
      refuseImpossible(all);
      const open = all.filter(({ sql }) => sql.length > 0);
      if (open.length === 0)
        return process.exitCode === undefined ? print('nothing to do: the triggers are as the observers file says') : undefined;
      for (const { table, reasons } of open) print(`${table}: ${reasons.join('; ')}`);
      const note = ownerNote(await ownerOf(client));
      if (note !== null) print(note);
      await confirm(`Create or replace the capture triggers of ${open.map(({ table }) => table).join(', ')}?`, flags.yes ?? false);
      await applyCapture(client, open);
      print(colors.green(`applied: ${open.map(({ table }) => table).join(', ')}`));
    });
  }
}

@SubCommand({ name: 'list', description: 'the captured tables' })
class CaptureListCommand extends ObserversCommand {
  protected readonly examples = [['what is captured', 'capture list']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const all = await plans(flags);
    if (flags.format === 'json') return printJson(all.map(({ table, entity, state, reasons }) => ({ table, entity, state, reasons })));
    printTable(['table', 'entity', 'state', 'why'], all.map(({ table, entity, state, reasons }) => [table, entity, state, reasons.join('; ')])); // prettier-ignore
  }
}

@SubCommand({ name: 'check', description: 'exit 4 when a table is not captured as the observers file says' })
class CaptureCheckCommand extends ObserversCommand {
  protected readonly examples = [['in a deployment: fail when the triggers differ from the file', 'capture check']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const all = await plans(flags);
    const open = all.filter(({ state }) => state !== 'current' && state !== 'unwanted');
    if (flags.format === 'json') printJson({ current: open.length === 0, differences: open });
    else if (open.length === 0) print(colors.green('the triggers are as the observers file says'));
    else {
      for (const { table, reasons } of open) print(`${colors.red(table)}: ${reasons.join('; ')}`);
      print(`${BREAK}To repair: fraiseql-observers capture apply   (capture plan shows the SQL)`);
    }
    if (open.length > 0) process.exitCode = ExitCode.validation;
  }
}

@SubCommand({ name: 'remove', arguments: '<table>', description: 'end the capture of a table; what is in the change log stays' })
class CaptureRemoveCommand extends ObserversCommand {
  protected readonly examples = [['record a table no more', 'capture remove public.orders']] as const;

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run([table]: string[], flags: GlobalOptions & { yes?: boolean }): Promise<void> {
    if (table === undefined)
      throw new OperatorError('no table named', 'Say which: fraiseql-observers capture remove public.orders', ExitCode.error);
    const { planRemoval } = await import('../change-log/capture/capture');
    await onDatabase(flags, async (client) => {
      const statements = await planRemoval(client, table);
      await confirm(`End the capture of ${table}? Changes from now on are not recorded.`, flags.yes ?? false);
      await client.query(['begin', ...statements, 'commit'].join(';\n'));
      print(colors.green(`removed: ${table}`));
    });
  }
}

const SUB_COMMANDS = [CapturePlanCommand, CaptureApplyCommand, CaptureListCommand, CaptureCheckCommand, CaptureRemoveCommand];

@Command({ name: 'capture', description: 'which tables are recorded', subCommands: SUB_COMMANDS })
export class CaptureCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
