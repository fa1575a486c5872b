import { Command, Option, SubCommand } from 'nest-commander';
import { toTheSecond } from '../event/clock';
import { PENDING_STATES, type PendingState } from '../event/pending-state';
import type { PendingFilter, WaitingDelivery } from '../status/pending.service';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { shownOf } from './dlq/list.command';
import { refuseUnknownNames } from './known-names';
import { onServices } from './modules';
import { wholeNumber } from './values';
import { BREAK, colors, counted, cut, print, printJson, printTable } from './output';

interface PendingFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly endpoint?: string;
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly state?: PendingState;
  readonly limit?: number;
}

const PAGE = 50;

@SubCommand({ name: 'list', description: 'deliveries that are not finished, the next one first, each with the time at which it goes' })
class PendingListCommand extends ObserversCommand {
  protected readonly examples = [
    ['what goes next', 'pending list'],
    ['what waits for its time, of one observer', 'pending list --observer remind --state scheduled'],
    ['of one entity', 'pending list --entity-type Order --entity-key 42'],
  ] as const;

  @Option({ flags: '--observer <name>', description: 'only of this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'only of this action' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--endpoint <name>', description: 'only for this endpoint' })
  parseEndpoint(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-type <type>', description: 'only of entities of this type' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-key <key>', description: 'only of this entity' })
  parseEntityKey(value: string): string {
    return value;
  }

  @Option({ flags: '--state <state>', description: 'only in this state', choices: [...PENDING_STATES] })
  parseState(value: string): PendingState {
    return value as PendingState;
  }

  @Option({ flags: '--limit <count>', description: `at most so many (default ${PAGE})` })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  async run(_args: string[], flags: PendingFlags): Promise<void> {
    const { StatusModule } = await import('../status/status.module');
    const { PendingDeliveries } = await import('../status/pending.service');
    const filter = filterOf(flags);
    const { items, total } = await onServices(flags, [StatusModule], (get, { stream }) =>
      get(PendingDeliveries).list(stream, filter, flags.limit ?? PAGE),
    );
    if (total === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson({ items, total });
    if (total === 0) return print(colors.green(Object.values(filter).every((value) => value === null) ? 'nothing is pending' : 'nothing that matches is pending')); // prettier-ignore
    printTable(['change', 'observer/action', 'entity', 'state', 'goes', 'attempt', 'stands for'], items.map(row));
    print(`${BREAK}${shownOf(items.length, total, 0, 'the next one first')}`);
  }
}

function row({
  changeNumber,
  observer,
  action,
  entityType,
  entityKey,
  state,
  goesAt,
  attempt,
  collapsed,
  redrive,
}: WaitingDelivery): string[] {
  const entity = entityType === null ? '' : cut(`${entityType} ${entityKey ?? ''}`, 30);
  const shown = redrive ? `${state}, asked for` : state;
  return [String(changeNumber), `${observer}/${action}`, entity, shown, goesAt === null ? '' : toTheSecond(goesAt), String(attempt), collapsed === null ? '' : counted(collapsed, 'change')]; // prettier-ignore
}

function filterOf({ observer, action, endpoint, entityType, entityKey, state }: PendingFlags): PendingFilter {
  return {
    observer: observer ?? null,
    action: action ?? null,
    endpoint: endpoint ?? null,
    entityType: entityType ?? null,
    entityKey: entityKey ?? null,
    state: state ?? null,
  };
}

const SUB_COMMANDS = [PendingListCommand];

@Command({
  name: 'pending',
  description: 'deliveries that are not finished: what waits, for what, and until when',
  subCommands: SUB_COMMANDS,
})
export class PendingCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
