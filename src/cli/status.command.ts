import { Command, Option } from 'nest-commander';
import type { Client } from 'pg';
import type { EndpointState } from '../delivery/endpoint-state';
import { toTheSecond } from '../event/moment';
import { LAG_COUNTED, type StreamStatus } from '../delivery/status.sql';
import { ObserversCommand, type GlobalOptions } from './command';
import { onDatabase } from './database';
import { colors, duration, print, printJson } from './output';

/** Between two looks of --watch, in milliseconds. */
const WATCH_EVERY = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

@Command({ name: 'status', description: 'who leads, how far the stream is behind, what is retried, dead or quarantined' })
export class StatusCommand extends ObserversCommand {
  @Option({ flags: '-w, --watch', description: 'again every two seconds, until Ctrl-C' })
  parseWatch(): boolean {
    return true;
  }

  async run(_args: string[], flags: GlobalOptions & { watch?: boolean }): Promise<void> {
    const { readStatus } = await import('../delivery/status.sql');
    const show = async (client: Client, stream: string): Promise<void> => {
      const status = await readStatus(client, stream);
      if (flags.watch === true && process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN);
      if (flags.format === 'json') printJson(status);
      else for (const [label, value] of describe(status)) print(`${colors.dim(label.padEnd(12))} ${value}`);
    };
    await onDatabase(flags, async (client, { stream }) => {
      if (flags.watch !== true) return show(client, stream);
      const { Interruption } = await import('./bulk/interruption');
      const interruption = new Interruption();
      while (!interruption.interrupted) {
        await show(client, stream);
        await interruption.sleep(WATCH_EVERY);
      }
      interruption.end();
    });
  }
}

function describe(status: StreamStatus): [string, string][] {
  const { leader, listeners, lag, queued, running, retrying, parked, waiting, dead, quarantined, oldestTransaction } = status;
  const alive = listeners.filter((listener) => listener.alive);
  const leading = alive.find(({ id }) => id === leader?.holder);
  const behind = lag.events >= LAG_COUNTED ? `more than ${LAG_COUNTED}` : String(lag.events);
  const lines: [string, string][] = [
    ['stream', status.stream],
    [
      'leader',
      leader === null
        ? colors.red('none: no service leads this stream')
        : `${leader.holder} (epoch ${leader.epoch})${leader.alive ? '' : colors.red(', lease run out')}`,
    ],
    [
      'listeners',
      `${alive.length} of ${listeners.length} alive${alive.map(({ id, address }) => `\n${' '.repeat(13)}${id}${address === null ? '' : ` at ${address}`}`).join('')}`,
    ],
    ['lag', lag.events === 0 ? colors.green('none') : `${behind} events, ${duration(lag.seconds)}`],
    ['in flight', leading === undefined ? 'unknown: no service answers for it' : `${leading.inFlight}, as of its last heartbeat`],
    ['queued', String(queued)],
    ['running', String(running)],
    ['retrying', String(retrying)],
    ...(parked + waiting === 0
      ? []
      : [
          ['parked', `${parked === 0 ? '0' : colors.red(String(parked))}, ${waiting} wait behind heads of their lanes   (lanes list)`] as [
            string,
            string,
          ],
        ]),
    ...status.pausedObservers.map(({ observer, since, by }): [string, string] => [
      'paused',
      `${colors.yellow(observer)} since ${toTheSecond(since)} by ${by}; ${status.paused} wait in all   (observers resume)`,
    ]),
    ['dead', dead === 0 ? '0' : colors.red(`${dead}   (dlq list)`)],
    ['quarantined', quarantined === 0 ? '0' : colors.red(`${quarantined}   (dlq list)`)],
  ];
  for (const { endpoint, since } of status.gone)
    lines.push([
      'endpoint',
      `${endpoint}: ${colors.red('gone')}, it answered 410 at ${toTheSecond(since)}   (dlq retry ID tries it once more)`,
    ]);
  for (const endpoint of leading?.endpoints ?? []) lines.push(['endpoint', describeEndpoint(endpoint)]);
  if (oldestTransaction !== null) {
    const { pid, user, seconds } = oldestTransaction;
    lines.push(['held back by', `pid ${pid} (${user}): a transaction open for ${duration(seconds)}; only its own changes wait`]);
  }
  return lines;
}

function describeEndpoint({ name, waiting, breaker }: EndpointState): string {
  const others = waiting === 0 ? '' : `, ${waiting} wait for a place`;
  if (breaker === null) return `${name}: ${waiting} wait for a place`;
  const failed = `${breaker.failures} of ${breaker.requests} requests failed`;
  return breaker.state === 'open'
    ? `${name}: ${colors.red('breaker open')} (${failed}), next try in ${duration(breaker.probeIn / 1_000)}${others}`
    : `${name}: ${colors.yellow('breaker half-open')}, one delivery tries${others}`;
}
