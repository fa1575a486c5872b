import { Command, Option } from 'nest-commander';
import { ExitCode, OperatorError } from '../../event/errors';
import type { ChangeRange, ReplayPreview } from '../../redrive/replays.service';
import type { SetStep } from '../../redrive/set-worker';
import { describeEnd, describeResult, runBulk, type BulkFigures, type BulkResult } from '../bulk/bulk-run';
import { rateOf, type Rate } from '../bulk/rate';
import { configurationOf, ObserversCommand, type GlobalOptions } from '../command';
import { confirm } from '../confirm';
import { operator, shortTime } from '../dlq/item';
import { SET_LIFE } from '../dlq/item-set';
import { withServices } from '../modules';
import { BREAK, counted, cut, print, printJson, printTable } from '../output';
import { isUuid, parseMoment, wholeNumber } from '../values';

interface ReplayFlags extends GlobalOptions {
  readonly observer?: string;
  readonly action?: string;
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly after?: string;
  readonly before?: string;
  readonly fromChange?: number;
  readonly toChange?: number;
  readonly event?: readonly string[];
  readonly onlyMissing?: boolean;
  readonly dryRun?: boolean;
  readonly token?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly rate?: Rate;
}

const RANGE = [
  'observer',
  'action',
  'entityType',
  'entityKey',
  'after',
  'before',
  'fromChange',
  'toChange',
  'event',
  'onlyMissing',
] as const;

@Command({
  name: 'replay',
  description: 'send stored events to observers once more: --dry-run shows which and gives a token, --token does it',
})
export class ReplayCommand extends ObserversCommand {
  protected readonly examples = [
    ['what would be sent, and a token for exactly that', 'replay --observer order-shipped --after 2h --dry-run'],
    ['that, fifty a second', 'replay --token TOKEN --rate 50/s --yes'],
    ['one event', 'replay --observer order-shipped --event 0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f --dry-run'],
    ['two by their change numbers, what they lack', 'replay --observer order-shipped --event 4711,4712 --only-missing --dry-run'],
  ] as const;

  @Option({ flags: '--observer <names>', description: 'these observers, separated by commas' })
  parseObserver(value: string): string {
    return value;
  }

  @Option({ flags: '--action <names>', description: 'only these actions of them' })
  parseAction(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-type <type>', description: 'only this type of entity' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-key <key>', description: 'only this entity' })
  parseEntityKey(value: string): string {
    return value;
  }

  @Option({ flags: '--after <time>', description: 'written then or later: 2026-01-31T10:00Z, or 2h for two hours ago' })
  parseAfter(value: string): string {
    return parseMoment('--after', value);
  }

  @Option({ flags: '--before <time>', description: 'written before then' })
  parseBefore(value: string): string {
    return parseMoment('--before', value);
  }

  @Option({ flags: '--from-change <number>', description: 'from this change number on' })
  parseFromChange(value: string): number {
    return wholeNumber('--from-change', value);
  }

  @Option({ flags: '--to-change <number>', description: 'up to this change number' })
  parseToChange(value: string): number {
    return wholeNumber('--to-change', value);
  }

  @Option({ flags: '--event <ids>', description: 'only these events: ids or change numbers, separated by commas' })
  parseEvent(value: string): string[] {
    const events = value.split(',').filter((one) => one !== '');
    const wrong = events.find((one) => !isUuid(one) && !/^\d{1,15}$/.test(one));
    if (events.length > 0 && wrong === undefined) return events;
    throw new OperatorError(
      `"${wrong ?? value}" is neither the id of an event nor a change number`,
      'The id is the one in the body of its webhooks, the number that of dlq show, tail and debug-event.',
    );
  }

  @Option({ flags: '--only-missing', description: 'only what has not been delivered, as far as is on record' })
  parseOnlyMissing(): boolean {
    return true;
  }

  @Option({ flags: '--dry-run', description: 'change nothing; print count, sample and token' })
  parseDryRun(): boolean {
    return true;
  }

  @Option({ flags: '--token <token>', description: 'the replay of a dry run' })
  parseToken(value: string): string {
    return value;
  }

  @Option({ flags: '-y, --yes', description: 'do not ask' })
  parseYes(): boolean {
    return true;
  }

  @Option({ flags: '--force', description: 'do not ask' })
  parseForce(): boolean {
    return true;
  }

  @Option({ flags: '--rate <rate>', description: 'at most so many deliveries, such as 50/s' })
  parseRate(value: string): Rate {
    return rateOf(value);
  }

  async run(_args: string[], flags: ReplayFlags): Promise<void> {
    const { token, dryRun = false } = flags;
    if (token === undefined) {
      if (!dryRun)
        throw new OperatorError('it sends only what was looked at', 'First: fraiseql-observers replay --observer NAME … --dry-run');
      return printPreview(await preview(flags), flags);
    }
    const beside = RANGE.some((name) => flags[name] !== undefined) || dryRun;
    if (beside) throw new OperatorError('the token says what is replayed', 'Leave the other options out, or make a new dry run with them.');
    const done = await perform(token, flags);
    if (flags.format === 'json') printJson(done);
    else print(sentences(done, token));
    process.exitCode = done.interrupted ? ExitCode.interrupted : done.failed > 0 ? ExitCode.error : ExitCode.ok;
  }
}

/** Evaluates the conditions over the range of the flags; changes nothing. */
async function preview(flags: ReplayFlags): Promise<ReplayPreview> {
  const { ReplayModule } = await import('../../redrive/replay.module');
  const { Replays } = await import('../../redrive/replays.service');
  const { settings, file } = await configurationOf(flags);
  const known = file.definition.observers;
  const observers = namesIn(flags.observer) ?? [];
  if (observers.length === 0)
    throw new OperatorError(
      'no observer is named: --observer NAME, or several separated by commas',
      `There are: ${known.map(({ name }) => name).join(', ')}.`,
    );
  const { stream, maxEventSize, retention } = settings;
  const { onlyMissing = false } = flags;
  const actions = namesIn(flags.action);
  const request = {
    stream,
    range: rangeOf(flags),
    observers,
    actions,
    config: file.source.hash,
    known,
    maxEventSize,
    retention,
    onlyMissing,
  };
  return withServices(settings, [ReplayModule], (get) => get(Replays).preview(request));
}

function namesIn(list: string | undefined): string[] | null {
  return list?.split(',').filter((name) => name !== '') ?? null;
}

function rangeOf(flags: ReplayFlags): ChangeRange {
  const { entityType = null, entityKey = null, after = null, before = null, fromChange = null, toChange = null, event = null } = flags;
  return { entityType, entityKey, after, before, fromChange, toChange, events: event };
}

interface ReplayResult extends BulkResult {
  readonly alreadyUnderWay: number;
}

/** Queues what the dry run has shown, from where an earlier run with the same token was stopped. */
async function perform(token: string, flags: ReplayFlags): Promise<ReplayResult> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { ReplayModule } = await import('../../redrive/replay.module');
  const { AskedDeliveries } = await import('../../redrive/asked-deliveries.service');
  const { Replays } = await import('../../redrive/replays.service');
  const { settings, file } = await configurationOf(flags);
  return withServices(settings, [RedriveModule, ReplayModule], async (get) => {
    const replays = get(Replays);
    const shown = await replays.shown(token, { stream: settings.stream, config: file.source.hash });
    await confirm(`Send ${counted(shown.count, 'delivery', 'deliveries')} once more?`, (flags.yes ?? false) || (flags.force ?? false));
    const worker = await replays.begin(shown, { known: file.definition.observers, maxEventSize: settings.maxEventSize }, operator());
    const { total } = worker;
    const step = (size: number): Promise<SetStep | null> => worker.step(size);
    const asked = get(AskedDeliveries);
    const figures = async (): Promise<BulkFigures> => ({ ...(await asked.pendingOf(token)), ended: null });
    const watched = { token, despiteBreaker: false, figures };
    const result = await runBulk(asked, { total, rate: flags.rate ?? null, watched, step, endedBy: () => worker.endedBy });
    if (result.remaining === 0) await worker.finish();
    return { ...result, alreadyUnderWay: worker.alreadyUnderWay };
  });
}

function printPreview(preview: ReplayPreview, flags: ReplayFlags): void {
  if (flags.format === 'json') return printJson(preview);
  const { events, count, unanswerable, unreadable, unknown, delivered, sample, token } = preview;
  if (sample.length > 0)
    printTable(
      ['change', 'written', 'entity', 'event', 'observer/action', 'delivered'],
      sample.map(({ changeNumber, timestamp, entity, event, observer, action, deliveredAt }) => [
        changeNumber, shortTime(timestamp), cut(entity, 40), event, `${observer}/${action}`, deliveredAt === null ? 'no' : shortTime(deliveredAt),
      ]), // prettier-ignore
    );
  if (count > sample.length) print(`… and ${count - sample.length} more`);
  print(`${BREAK}${counted(events, 'event')} in range, ${counted(count, 'delivery', 'deliveries')} would be sent; nothing was changed`);
  if (delivered.count > 0 && delivered.first !== null && delivered.last !== null)
    print(`${delivered.count} of them delivered already, ${period(delivered.first, delivered.last)}: --only-missing leaves these out`);
  if (unknown > 0) print(`${unknown} of them may have been delivered: their tries are older than OBSERVERS_RETENTION`);
  if (unanswerable > 0) print(`${unanswerable} times a condition has no answer: nothing is sent for it`);
  if (unreadable > 0) print(`${counted(unreadable, 'change is no event', 'changes are no events')} (dlq list)`);
  if (token !== null) print(`To send exactly these, within ${SET_LIFE}:${BREAK}fraiseql-observers replay --token ${token}`);
}

function period(first: string, last: string): string {
  const [from, to] = [shortTime(first), shortTime(last)];
  return from === to ? `at ${from}` : `from ${from} to ${to}`;
}

function sentences(result: ReplayResult, token: string): string {
  const { asked, alreadyUnderWay } = result;
  const lines = [`${asked} asked for`, ...describeResult(result, 'failed', token)];
  if (alreadyUnderWay > 0) lines.push(`${alreadyUnderWay} under way already, and not begun twice`);
  return [...lines, ...describeEnd(result)].join(BREAK);
}
