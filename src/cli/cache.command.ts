import { Command, Option, SubCommand } from 'nest-commander';
import type { Invalidation } from '../cache/lookup-cache';
import { ExitCode, OperatorError } from '../event/errors';
import { CommandGroup, definitionReader, loadInputOf, ObserversCommand, readOrNull, type GlobalOptions } from './command';
import { operator } from './dlq/item';
import { onServices } from './modules';
import { print, printJson } from './output';

interface InvalidateFlags extends GlobalOptions {
  readonly lookup?: string;
}

@SubCommand({
  name: 'invalidate',
  arguments: '[url]',
  description: 'have every instance ask anew for what a look-up, or a URL of one, has been answered',
})
class CacheInvalidateCommand extends ObserversCommand {
  protected readonly examples = [
    ['a customer has changed there', 'cache invalidate https://crm.internal/customers/42'],
    ['everything that a look-up knows', 'cache invalidate --lookup customer'],
  ] as const;

  @Option({ flags: '--lookup <name>', description: 'all answers of this look-up' })
  parseLookup(value: string): string {
    return value;
  }

  async run([url]: string[], flags: InvalidateFlags): Promise<void> {
    const { lookup } = flags;
    if ((url === undefined) === (lookup === undefined))
      throw new OperatorError(
        'name the URL that was asked for, or --lookup, one of them',
        'URLs of look-ups: fraiseql-observers test-event',
      );
    const { loadSettings } = await import('../config/load');
    const { invalidateFromOutside } = await import('../cache/invalidate-from-outside');
    const settings = loadSettings(loadInputOf(flags));
    if (lookup !== undefined) await requireLookup(lookup, await definitionReader(flags, settings));
    const what = lookup === undefined ? { url: url ?? '' } : { lookup };
    if (settings.cacheDriver === 'redis') await onRecord(flags, what);
    await invalidateFromOutside(settings, what);
    const invalidated = lookup ?? url ?? '';
    if (flags.format === 'json') return printJson({ invalidated, by: 'every instance' });
    print(`${lookup === undefined ? invalidated : `the look-up ${invalidated}`} is asked for anew, by every instance`);
  }
}

async function onRecord(flags: GlobalOptions, what: Invalidation): Promise<void> {
  const { invalidationBy } = await import('../cache/invalidation');
  const { Operations } = await import('../status/operations.service');
  const { StatusModule } = await import('../status/status.module');
  await onServices(flags, [StatusModule], (get) => get(Operations).record(invalidationBy(operator(), what)));
}

/** Where the observers file is at hand. */
async function requireLookup(name: string, read: Awaited<ReturnType<typeof definitionReader>>): Promise<void> {
  const definition = readOrNull(() => read(null));
  if (definition === null) return;
  const { unknownLookup } = await import('../cache/invalidation');
  const unknown = unknownLookup(name, definition.observers);
  if (unknown !== null) throw new OperatorError(unknown.message, unknown.remedy, ExitCode.notFound);
}

const SUB_COMMANDS = [CacheInvalidateCommand];

@Command({ name: 'cache', description: 'answers of look-ups: asking anew for what is known to be old', subCommands: SUB_COMMANDS })
export class CacheCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
