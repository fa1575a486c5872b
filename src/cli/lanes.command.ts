import { Command, Option, SubCommand } from 'nest-commander';
import type { HeldLane, HeldLanes, LaneFilter, LaneRepair, LanesResumed } from '../redrive/held-lanes.service';
import { ExitCode, OperatorError } from '../event/errors';
import { laneOptions } from '../event/lane-command';
import { CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { confirm } from './confirm';
import { shownOf } from './dlq/list.command';
import { operator } from './dlq/item';
import { refuseUnknownNames } from './known-names';
import { onServices } from './modules';
import { wholeNumber } from './values';
import { BREAK, colors, counted, cut, duration, print, printJson, printTable } from './output';

interface LaneFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly entityType?: string;
  readonly entityKey?: string;
}

abstract class LanesSubCommand extends ObserversCommand {
  @Option({ flags: '--observer <name>', description: 'only of this observer' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <name>', description: 'only of this action' })
  parseAction(value: string): string {
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
}

/** Flags of the commands that change something. */
abstract class LanesRepairCommand extends LanesSubCommand {
  @Option({ flags: '--all', description: 'all lanes, where no filter is given' })
  parseAll(): boolean {
    return true;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }
}

interface RepairFlags extends LaneFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly wholeLane?: boolean;
}

const PAGE = 50;

@SubCommand({ name: 'list', description: 'lanes of strict observers that something holds up: parked ones first, with what they wait for' })
class LanesListCommand extends LanesSubCommand {
  protected readonly examples = [
    ['what holds up which entity', 'lanes list'],
    ['of one observer', 'lanes list --observer order-shipped'],
  ] as const;

  @Option({ flags: '--limit <count>', description: `at most so many (default ${PAGE})` })
  parseLimit(value: string): number {
    return wholeNumber('--limit', value);
  }

  @Option({ flags: '--offset <count>', description: 'skip so many' })
  parseOffset(value: string): number {
    return wholeNumber('--offset', value);
  }

  async run(_args: string[], flags: LaneFlags & { limit?: number; offset?: number }): Promise<void> {
    const { limit = PAGE, offset = 0 } = flags;
    const { lanes, total } = await onLanes(flags, async (held, stream) => ({
      lanes: await held.list(stream, filterOf(flags), limit, offset),
      total: await held.count(stream, filterOf(flags)),
    }));
    if (total === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson(lanes);
    if (total === 0)
      return print(
        colors.green(
          Object.values(filterOf(flags)).every((value) => value === null) ? 'no lane is held up' : 'no lane that matches is held up',
        ),
      );
    printTable(['observer/action', 'entity', 'state', 'for', 'behind', 'attempts', 'why'], lanes.map(row)); // prettier-ignore
    print(`${BREAK}${shownOf(lanes.length, total, offset, 'parked ones first')}`);
    const [first] = lanes;
    if (first === undefined) return;
    print(`${BREAK}One more try:        fraiseql-observers lanes resume ${laneOptions(first)}`);
    print(`give the head up:    fraiseql-observers lanes skip ${laneOptions(first)}`);
    print(`to the dead letters: fraiseql-observers lanes dead-letter ${laneOptions(first)}`);
    print('Fewer of these options name more lanes; --all names all.');
  }
}

function row({
  observer,
  action,
  entityType,
  entityKey,
  state,
  ageSeconds,
  waiting,
  attempts,
  error,
  status,
  message,
}: HeldLane): string[] {
  const why = error === null ? '' : `${error}${status === null ? '' : ` ${status}`}: ${cut(message ?? '', 50)}`;
  const shown = state === 'parked' ? colors.red(state) : state;
  return [`${observer}/${action}`, `${entityType} ${entityKey}`, shown, duration(ageSeconds), String(waiting), String(attempts), why];
}

@SubCommand({ name: 'resume', description: 'try the heads of parked or waiting lanes once more, now; what fails again parks again' })
class LanesResumeCommand extends LanesRepairCommand {
  protected readonly examples = [['try the heads of one observer again', 'lanes resume --observer order-shipped']] as const;

  async run(_args: string[], flags: RepairFlags): Promise<void> {
    const { led, ...done } = await onChosen(flags, 'Try the heads of', async (held, stream) => ({
      ...(await held.resume(stream, filterOf(flags), operator())),
      led: await held.isLed(),
    }));
    if (flags.format === 'json') return printJson(done);
    for (const line of resumedLines(done, led)) print(line);
  }
}

function resumedLines({ resumed, paused, behind, left }: LanesResumed, led: boolean): string[] {
  const tried = resumed - paused;
  const lines: string[] = [];
  if (tried > 0)
    lines.push(`${counted(tried, 'lane')} resumed: ${tried === 1 ? 'its head is' : 'their heads are'} tried once more ${led ? 'now' : 'as soon as a service leads the stream'}`); // prettier-ignore
  if (paused > 0)
    lines.push(`${counted(paused, 'lane')} resumed whose ${paused === 1 ? 'observer is paused: its head is' : 'observers are paused: their heads are'} tried when that ends (observers resume)`); // prettier-ignore
  if (behind > 0)
    lines.push(`${counted(behind, 'delivery waits', 'deliveries wait')} behind ${resumed === 1 ? 'it' : 'them'}, and ${behind === 1 ? 'goes' : 'go'} on when what is before has succeeded`); // prettier-ignore
  if (left > 0)
    lines.push(`${counted(left, 'lane was', 'lanes were')} left as ${left === 1 ? 'it is' : 'they are'}: what is at the head is under way, queued or paused`); // prettier-ignore
  return lines.length === 0 ? ['nothing was resumed'] : lines;
}

@SubCommand({ name: 'skip', description: 'give the heads up for good (on record as skipped), so that what is behind them goes on' })
class LanesSkipCommand extends LanesRepairCommand {
  protected readonly examples = [['give the head of one lane up, and go on', 'lanes skip --entity-type Order --entity-key 42']] as const;

  run(_args: string[], flags: RepairFlags): Promise<void> {
    return repair(flags, 'skip', 'Give up the heads of');
  }
}

@SubCommand({ name: 'dead-letter', description: 'move the heads to the dead letter queue, so that what is behind them goes on' })
class LanesDeadLetterCommand extends LanesRepairCommand {
  protected readonly examples = [
    ['put the head of one lane among the dead letters, and go on', 'lanes dead-letter --entity-type Order --entity-key 42'],
  ] as const;

  @Option({ flags: '--whole-lane', description: 'and everything that waits behind them' })
  parseWholeLane(): boolean {
    return true;
  }

  run(_args: string[], flags: RepairFlags): Promise<void> {
    return repair(flags, flags.wholeLane === true ? 'dead-letter all' : 'dead-letter', 'Move to the dead letters the heads of');
  }
}

async function repair(flags: RepairFlags, how: LaneRepair, question: string): Promise<void> {
  const result = await onChosen(flags, question, (held, stream) => held.repair(stream, filterOf(flags), how, operator()));
  if (flags.format === 'json') return printJson(result);
  const deliveries = counted(result.deliveries, 'delivery', 'deliveries');
  print(how === 'skip' ? `${deliveries} skipped, ${counted(result.lanes, 'lane goes', 'lanes go')} on; what was skipped comes back by: dlq list --discarded, dlq restore ID` : `${deliveries} moved to the dead letters (dlq list), ${counted(result.lanes, 'lane goes', 'lanes go')} on`); // prettier-ignore
}

/** For what changes lanes: a filter or --all, and a person's yes to the number of them. */
async function onChosen<T>(flags: RepairFlags, question: string, work: LaneWork<T>): Promise<T> {
  const filter = filterOf(flags);
  if (Object.values(filter).every((value) => value === null) && flags.all !== true)
    throw new OperatorError(
      'which lanes?',
      'Name an observer, an action or an entity (lanes list shows them), or give --all.',
      ExitCode.error,
    );
  return onLanes(flags, async (held, stream) => {
    const found = await held.list(stream, filter, MANY);
    if (found.length === 0) {
      await refuseUnknownNames(flags);
      throw new OperatorError('no such lane is held up', 'lanes list shows those that are.', ExitCode.notFound);
    }
    await confirm(`${question} ${found.length === MANY ? `more than ${MANY} lanes` : counted(found.length, 'lane')}?`, flags.yes ?? false);
    return work(held, stream);
  });
}

/** Counting more than that would tell nobody more. */
const MANY = 10_000;

type LaneWork<T> = (held: HeldLanes, stream: string) => Promise<T>;

async function onLanes<T>(flags: GlobalOptions, work: LaneWork<T>): Promise<T> {
  const { RedriveModule } = await import('../redrive/redrive.module');
  const { HeldLanes: Service } = await import('../redrive/held-lanes.service');
  return onServices(flags, [RedriveModule], (get, { stream }) => work(get(Service), stream));
}

function filterOf({ observer, action, entityType, entityKey }: LaneFlags): LaneFilter {
  return { observer: observer ?? null, action: action ?? null, entityType: entityType ?? null, entityKey: entityKey ?? null };
}

const SUB_COMMANDS = [LanesListCommand, LanesResumeCommand, LanesSkipCommand, LanesDeadLetterCommand];

@Command({ name: 'lanes', description: 'lanes of strict observers that something holds up', subCommands: SUB_COMMANDS })
export class LanesCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
