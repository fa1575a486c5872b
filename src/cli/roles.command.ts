import { Command, Option, SubCommand } from 'nest-commander';
import { ExitCode, OperatorError } from '../event/errors';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { confirm } from './confirm';
import { onDatabase } from './modules';
import { BREAK, colors, print, printJson, printText } from './output';

@SubCommand({ name: 'plan', description: 'show the SQL that gives each role what it needs, and no more; changes nothing' })
class RolesPlanCommand extends ObserversCommand {
  protected readonly examples = [['the SQL, for whoever may create roles', 'roles plan']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { describeRoles, planRoles } = await import('../database/roles/plan');
    const plan = await onDatabase(flags, (client) => planRoles(client));
    if (flags.format === 'json') return printJson(plan);
    printText(describeRoles().join('\n'));
    printText(plan.sql.length === 0 ? '-- nothing is missing' : `${plan.sql.join(';\n')};`);
    for (const { what, repair } of plan.excess) print(`-- too much: ${what}${BREAK}-- ${repair};`);
  }
}

@SubCommand({ name: 'apply', description: 'create the roles and grant what is missing; can be run again at any time' })
class RolesApplyCommand extends ObserversCommand {
  protected readonly examples = [
    ['ask, then do it', 'roles apply'],
    ['in a script', 'roles apply --yes'],
  ] as const;

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  async run(_args: string[], flags: GlobalOptions & { yes?: boolean }): Promise<void> {
    const { planRoles } = await import('../database/roles/plan');
    const { transaction } = await import('../database/transaction');
    await onDatabase(flags, async (client) => {
      const { sql, missing, excess } = await planRoles(client);
      for (const { what, repair } of excess) print(`${colors.yellow('too much')}: ${what}; to end it: ${repair}`);
      if (sql.length === 0) return print('nothing to do: the roles have what they need');
      printText(sql.join(';\n'));
      await confirm(`Run ${sql.length === 1 ? 'this statement' : `these ${sql.length} statements`}?`, flags.yes ?? false);
      try {
        await transaction(client, 'begin', async () => {
          for (const statement of sql) await client.query(statement);
        });
      } catch (error) {
        if ((error as { code?: string }).code !== '42501') throw error;
        throw refusal(missing.length > 0, error);
      }
      print(colors.green(missing.length === 0 ? 'granted' : `created: ${missing.join(', ')}`));
    });
  }
}

function refusal(creates: boolean, cause: unknown): OperatorError {
  const remedy = creates
    ? 'Let an administrator run what `fraiseql-observers roles plan` prints, or run it as a role with CREATEROLE that owns the schema observers.'
    : 'Run it as the role that owns the schemas core and observers, or let an administrator run what `fraiseql-observers roles plan` prints.';
  return new OperatorError('the connected role may not do all of this, and nothing was changed', remedy, ExitCode.connection, { cause });
}

const SUB_COMMANDS = [RolesPlanCommand, RolesApplyCommand];

@Command({ name: 'roles', description: 'who may do what in the database', subCommands: SUB_COMMANDS })
export class RolesCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
