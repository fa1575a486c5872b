import { Command, Option } from 'nest-commander';
import type { StreamStatus } from '../../status/status.service';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { ObserversCommand, type GlobalOptions } from '../command';
import { onServices } from '../modules';
import { colors, print, printJson, printTable } from '../output';
import type { Scrape } from './exposition';
import { summaryLines, summaryOf } from './summary';

interface MetricsFlags extends GlobalOptions {
  readonly metric?: string;
  readonly helpMetrics?: boolean;
}

/** Between the two scrapes that a rate takes, in milliseconds. */
const BETWEEN = 1_000;
const TIMEOUT = 5_000;

@Command({ name: 'metrics', description: 'what the running service has counted: rates, latencies, failures, cache hits' })
export class MetricsCommand extends ObserversCommand {
  protected readonly examples = [
    ['a summary', 'metrics'],
    ['one metric as it is scraped', 'metrics --metric observer_lag_seconds'],
    ['what each means', 'metrics --help-metrics'],
  ] as const;

  @Option({ flags: '--metric <name>', description: 'the series of one metric, as they are scraped' })
  parseMetric(value: string): string {
    return value;
  }

  @Option({ flags: '--help-metrics', description: 'what each metric means' })
  parseHelpMetrics(): boolean {
    return true;
  }

  async run(_args: string[], flags: MetricsFlags): Promise<void> {
    const address = leadingAddress(await this.status(flags));
    const first = await scrape(address);
    const json = flags.format === 'json';
    if (flags.helpMetrics === true) return showHelp(first, json);
    if (flags.metric !== undefined) return showMetric(first, flags.metric, json);
    await new Promise((later) => setTimeout(later, BETWEEN));
    const summary = summaryOf(address, first, await scrape(address), BETWEEN / 1_000);
    if (json) return printJson(summary);
    for (const [label, value] of summaryLines(summary)) print(`${colors.dim(label.padEnd(14))} ${value}`);
  }

  private async status(flags: GlobalOptions): Promise<StreamStatus> {
    const { StatusModule } = await import('../../status/status.module');
    const { Status } = await import('../../status/status.service');
    return onServices(flags, [StatusModule], (get, { stream }) => get(Status).summary(stream));
  }
}

/** @throws OperatorError when no service answers for the stream: its counters are in its memory, and nowhere else */
function leadingAddress({ stream, leader, listeners }: StreamStatus): string {
  const alive = listeners.filter((listener) => listener.alive);
  const { address = null } = alive.find(({ id }) => id === leader?.holder) ?? alive[0] ?? {};
  if (address !== null) return address;
  throw new OperatorError(
    `no service runs for stream "${stream}", and its metrics are in its memory`,
    'What the database knows: fraiseql-observers status',
    ExitCode.connection,
  );
}

async function scrape(address: string): Promise<Scrape> {
  const { parseScrape } = await import('./exposition');
  try {
    const answer = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(TIMEOUT) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    return parseScrape(await answer.text());
  } catch (error) {
    throw new OperatorError(
      `the metrics of the service at ${address} cannot be read: ${messageOf(error)}`,
      'Run the command where the service can be reached, or look at what the database knows: fraiseql-observers status',
      ExitCode.connection,
      { cause: error },
    );
  }
}

function showHelp({ help }: Scrape, json: boolean): void {
  if (json) return printJson([...help].map(([name, meaning]) => ({ name, meaning })));
  printTable(['metric', 'meaning'], [...help]);
}

function showMetric({ samples, help }: Scrape, metric: string, json: boolean): void {
  const its = samples.filter(({ name }) => name === metric || name.replace(/_(bucket|sum|count)$/, '') === metric);
  if (its.length === 0 && !help.has(metric))
    throw new OperatorError(
      `there is no metric "${metric}"`,
      'What there is: fraiseql-observers metrics --help-metrics',
      ExitCode.notFound,
    );
  if (json) return printJson(its);
  if (its.length === 0) return print(`${metric} has no series yet: nothing of the kind has happened since the service started`);
  printTable(
    ['series', 'value'],
    its.map(({ name, labels, value }) => [
      `${name}{${Object.entries(labels).map(([label, text]) => `${label}="${text}"`).join(', ')}}`, value,
    ]), // prettier-ignore
  );
}
