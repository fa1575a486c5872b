import { Command, Option } from 'nest-commander';
import { toTheSecond } from '../event/clock';
import type { CaptureDrift } from '../status/capture-drift';
import { LAG_COUNTED, type Status, type StreamStatus } from '../status/status.service';
import { ObserversCommand, type GlobalOptions } from './command';
import { onServices } from './modules';
import { writeTrusted } from '../event/terminal';
import { BREAK, colors, counted, duration, print, printJson } from './output';
import type { Detailed } from './status/detail';
import { describeEndpoint, describeRedis, instanceStateOf, oneListener, printListener } from './status/listener';

interface StatusFlags extends GlobalOptions {
  readonly watch?: boolean;
  readonly detailed?: boolean;
  readonly listener?: string;
}

/** Between two looks of --watch, in milliseconds. */
const WATCH_EVERY = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

@Command({ name: 'status', description: 'who leads, how far the stream is behind, what is retried, dead or quarantined' })
export class StatusCommand extends ObserversCommand {
  protected readonly examples = [
    ['the stream at a glance', 'status'],
    ['again every two seconds', 'status --watch'],
    ['by observer, endpoint, listener and kind of dead letter; what holds the stream back', 'status --detailed'],
    ['one instance', 'status --listener web-1:4711:9f3c2a'],
  ] as const;

  @Option({ flags: '-w, --watch', description: 'again every two seconds, until Ctrl-C' })
  parseWatch(): boolean {
    return true;
  }

  @Option({ flags: '--detailed', description: 'by observer, endpoint, listener and kind of dead letter, and every open transaction' })
  parseDetailed(): boolean {
    return true;
  }

  @Option({ flags: '--listener <id>', description: 'only this instance; the beginning of its id is enough' })
  parseListener(value: string): string {
    return value;
  }

  async run(_args: string[], flags: StatusFlags): Promise<void> {
    const { StatusModule } = await import('../status/status.module');
    const { Status } = await import('../status/status.service');
    await onServices(flags, [StatusModule], async (get, { stream }) => {
      const service = get(Status);
      if (flags.watch !== true) return this.show(service, stream, flags);
      const { Interruption } = await import('./bulk/interruption');
      const interruption = new Interruption();
      while (!interruption.interrupted) {
        await this.show(service, stream, flags);
        await interruption.sleep(WATCH_EVERY);
      }
      interruption.end();
    });
  }

  private async show(service: Status, stream: string, flags: StatusFlags): Promise<void> {
    const json = flags.format === 'json';
    const clear = (): void => void (flags.watch === true && process.stdout.isTTY && writeTrusted(process.stdout, CLEAR_SCREEN));
    if (flags.listener !== undefined) return this.showListener(service, flags.listener, json, clear);
    const status = await service.summary(stream);
    const detail = flags.detailed === true ? await this.detail(service, stream) : null;
    clear();
    if (json) return printJson(detail === null ? status : { ...status, detail });
    for (const [label, value] of describe(status)) print(`${colors.dim(label.padEnd(12))} ${value}`);
    if (detail !== null) (await import('./status/detail')).printDetail(detail, status);
  }

  private async detail(service: Status, stream: string): Promise<Detailed> {
    const { detailOf } = await import('./status/detail');
    return detailOf(await service.detail(stream));
  }

  private async showListener(service: Status, id: string, json: boolean, clear: () => void): Promise<void> {
    const listener = oneListener(await service.listenersCalled(id), id);
    const state = await instanceStateOf(listener);
    clear();
    if (json) printJson({ ...listener, state });
    else printListener(listener, state);
  }
}

function describe(status: StreamStatus): [string, string][] {
  const { leader, listeners, lag, dead, quarantined, oldestTransaction } = status;
  const alive = listeners.filter((listener) => listener.alive);
  const leading = leader?.alive === true ? alive.find(({ id }) => id === leader.holder) : undefined;
  const behind = lag.events >= LAG_COUNTED ? `more than ${LAG_COUNTED}` : String(lag.events);
  const lines: [string, string][] = [
    ['stream', status.stream],
    [
      'leader',
      leader === null
        ? colors.red('none: no service leads this stream')
        : leader.alive
          ? `${leader.holder} (epoch ${leader.epoch})`
          : `${colors.red('none')}: the last one was ${leader.holder} (epoch ${leader.epoch})`,
    ],
    [
      'listeners',
      `${alive.length} of ${listeners.length} alive${alive.map(({ id, address }) => `${BREAK}${' '.repeat(13)}${id}${address === null ? '' : ` at ${address}`}`).join('')}`,
    ],
    ['lag', lag.events === 0 ? colors.green('none') : `${behind} ${lag.events === 1 ? 'event' : 'events'}, ${duration(lag.seconds)}`],
    ['in flight', leading === undefined ? 'unknown: no service answers for it' : `${leading.inFlight}, as of its last heartbeat`],
    ...describeWaiting(status),
    ['dead', dead === 0 ? '0' : colors.red(`${dead}   (dlq list)`)],
    ['quarantined', quarantined === 0 ? '0' : colors.red(`${quarantined}   (dlq list)`)],
  ];
  const unaccounted = status.audit?.unaccounted ?? 0;
  if (unaccounted > 0)
    lines.push(['unaccounted', colors.red(`${counted(unaccounted, 'delivery', 'deliveries')} must be on record and ${unaccounted === 1 ? 'is' : 'are'} not   (audit list)`)]); // prettier-ignore
  lines.push(...describeDrift(status.captureDrift ?? []));
  for (const { endpoint, since } of status.gone)
    lines.push([
      'endpoint',
      `${endpoint}: ${colors.red('gone')}, it answered 410 at ${toTheSecond(since)}   (dlq retry ID tries it once more)`,
    ]);
  for (const { table, observers, done, expected, running } of status.backfills)
    lines.push(['backfill', `${table} for ${observers.join(', ')}: ${done} of ${expected === null ? 'an unknown number of' : expected} ${expected === 1 ? 'row' : 'rows'}, ${running ? colors.green('running') : colors.yellow('stopped')}   (backfill list)`]); // prettier-ignore
  lines.push(...describeSearch(status));
  for (const endpoint of leading?.endpoints ?? []) lines.push(['endpoint', describeEndpoint(endpoint)]);
  for (const { id, redis } of alive)
    for (const state of redis)
      if (!state.up || id === leading?.id) lines.push(['redis', `${id === leading?.id ? '' : `${id}, `}${describeRedis(state)}`]);
  if (oldestTransaction !== null) {
    const { pid, user, seconds } = oldestTransaction;
    lines.push(['held back by', `pid ${pid} (${user}): a transaction open for ${duration(seconds)}; only its own changes wait`]);
  }
  return lines;
}

function describeSearch({ search }: StreamStatus): [string, string][] {
  if (search === null) return [];
  const { index, lagSeconds, parked, building, problem } = search;
  const lag = problem === null ? `${duration(lagSeconds)} behind` : colors.red(`${duration(lagSeconds)} behind: ${problem}`);
  const more = `${building ? ', another is built beside it' : ''}${parked === 0 ? '' : `; ${colors.red(`${parked} parked`)}   (search parked)`}`;
  return [['search index', `${index}: ${lag}${more}`]];
}

/** What stands in PostgreSQL because it is not finished. */
function describeWaiting({
  scheduled,
  nextScheduledAt,
  queued,
  running,
  retrying,
  parked,
  waiting,
  paused,
  pausedObservers,
}: StreamStatus): [string, string][] {
  const lines: [string, string][] = [];
  if (nextScheduledAt !== null)
    lines.push(['scheduled', `${scheduled}, the next one for ${toTheSecond(nextScheduledAt)}   (pending list)`]);
  lines.push(['queued', String(queued)], ['running', String(running)], ['retrying', String(retrying)]);
  if (parked + waiting > 0) {
    const behind = waiting === 0 ? 'nothing waits behind the head of a lane' : `${counted(waiting, 'waits', 'wait')} behind ${waiting === 1 ? 'the head of its lane' : 'the heads of their lanes'}`; // prettier-ignore
    lines.push(['parked', `${parked === 0 ? '0' : colors.red(String(parked))}; ${behind}   (lanes list)`]);
  }
  for (const { observer, since, by } of pausedObservers)
    lines.push(['paused', `${colors.yellow(observer)} since ${toTheSecond(since)} by ${by}; ${counted(paused, 'waits', 'wait')} in all   (observers resume)`]); // prettier-ignore
  return lines;
}

/** Lines of the summary; more would push the rest off the screen. */
const MOST_LINES = 5;

/** Tables that are not captured as the file asks, a line each. */
function describeDrift(drift: readonly CaptureDrift[]): [string, string][] {
  const lines = drift
    .slice(0, MOST_LINES)
    .map(({ table, state, reasons, since }): [string, string] => [
      'capture',
      `${table}: ${colors.red(state)} since ${toTheSecond(since)}: ${reasons[0] ?? ''}${reasons.length > 1 ? ' …' : ''}   (capture check)`,
    ]);
  if (drift.length > MOST_LINES) lines.push(['capture', `and ${counted(drift.length - MOST_LINES, 'more table')}   (status --detailed)`]);
  return lines;
}
