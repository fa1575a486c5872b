import { Command, Option, SubCommand } from 'nest-commander';
import type { Settings } from '../config/settings';
import type { ObserverPauses, PausedObserver, Resumed } from '../delivery/observer-pauses.service';
import type { ObserverDefinition, ObserversDefinition } from '../event/definitions';
import { ExitCode, OperatorError } from '../event/errors';
import type { ConfigVersions } from '../config/config-versions.service';
import type { Explanations } from '../explain/explanations.service';
import type { Status } from '../status/status.service';
import { configurationOf, definitionReader, CommandGroup, ObserversCommand, type GlobalOptions } from './command';
import { onServices } from './modules';
import { operator, shortTime } from './dlq/item';
import { BREAK, colors, counted, cut, print, printJson, printTable } from './output';

interface ObserverServices {
  readonly pauses: ObserverPauses;
  readonly status: Status;
  readonly explanations: Explanations;
  readonly versions: ConfigVersions;
}

async function onObservers<T>(flags: GlobalOptions, work: (services: ObserverServices, settings: Settings) => Promise<T>): Promise<T> {
  const { ConfigModule } = await import('../config/config.module');
  const { ConfigVersions } = await import('../config/config-versions.service');
  const { ObserverPausesModule } = await import('../delivery/observer-pauses.module');
  const { ObserverPauses } = await import('../delivery/observer-pauses.service');
  const { ExplainModule } = await import('../explain/explain.module');
  const { Explanations } = await import('../explain/explanations.service');
  const { StatusModule } = await import('../status/status.module');
  const { Status } = await import('../status/status.service');
  return onServices(flags, [ConfigModule, ExplainModule, ObserverPausesModule, StatusModule], (get, settings) => {
    const services = { pauses: get(ObserverPauses), status: get(Status), explanations: get(Explanations), versions: get(ConfigVersions) };
    return work(services, settings);
  });
}

/** The observers that the stream is led with; before the first leader those of the file. */
async function runningDefinition(
  { explanations, versions }: ObserverServices,
  settings: Settings,
  flags: GlobalOptions,
): Promise<ObserversDefinition> {
  const { currentVersion } = await explanations.streamFacts(settings.stream);
  const text = currentVersion === null ? null : await versions.read(currentVersion);
  return text === null ? (await configurationOf(flags)).file.definition : (await definitionReader(flags, settings))(text);
}

async function requireObserver(services: ObserverServices, settings: Settings, flags: GlobalOptions, [name]: string[]): Promise<string> {
  const { didYouMean } = await import('../config/problems');
  const names = (await runningDefinition(services, settings, flags)).observers.map((observer) => observer.name);
  if (name !== undefined && names.includes(name)) return name;
  const remedy = 'What there is: fraiseql-observers observers list';
  if (name === undefined) throw new OperatorError('no observer named', remedy);
  throw new OperatorError(`there is no observer "${name}"${didYouMean(name, names)}`, remedy, ExitCode.notFound);
}

@SubCommand({ name: 'list', description: 'the observers of the running configuration, whether they are paused, and what waits of them' })
class ObserversListCommand extends ObserversCommand {
  protected readonly examples = [['all of them, and what waits of each', 'observers list']] as const;

  async run(_args: string[], flags: GlobalOptions): Promise<void> {
    const { listed, led } = await onObservers(flags, async (services, settings) => {
      const { observers } = await runningDefinition(services, settings, flags);
      const counts = new Map((await services.status.observerCounts(settings.stream)).map((one) => [one.observer, one]));
      const paused = new Map((await services.pauses.list(settings.stream)).map((one) => [one.observer, one]));
      const all = observers.map((observer) => {
        const { pending = 0, dead = 0 } = counts.get(observer.name) ?? {};
        return { ...described(observer), paused: paused.get(observer.name) ?? null, pending, dead };
      });
      return { listed: all, led: await isLed(services, settings) };
    });
    if (flags.format === 'json') return printJson(listed);
    const { describeKinds } = await import('../config/describe');
    printTable(
      ['observer', 'entity', 'on', 'when', 'state', 'pending', 'dead'],
      listed.map(({ name, entities, when, paused, pending, dead, ...narrowing }) => [
        name, entities, describeKinds(narrowing), cut(when ?? 'always', 50), paused === null ? (led ? 'running' : 'stopped') : colors.yellow(shown(paused)), pending, dead,
      ]), // prettier-ignore
    );
    if (!led) print(`${BREAK}${NOBODY_LEADS}`);
  }
}

type Described = Pick<ObserverDefinition, 'name' | 'kinds' | 'columns' | 'ignoreUnchanged' | 'when'> & { readonly entities: string };

function described({ name, entities, kinds, columns, ignoreUnchanged, when }: ObserverDefinition): Described {
  return { name, entities: entities === '*' ? '*' : entities.join(', '), kinds, columns, ignoreUnchanged, when };
}

function shown({ since, by, reason }: PausedObserver): string {
  return `paused ${shortTime(since)} by ${by}${reason === null ? '' : `: ${cut(reason, 40)}`}`;
}

@SubCommand({ name: 'pause', arguments: '<name>', description: 'nothing more is sent for it; what it would have sent waits, in order' })
class ObserversPauseCommand extends ObserversCommand {
  protected readonly examples = [
    ['hold one back; what it would have sent waits', 'observers pause order-shipped --reason "the warehouse moves"'],
  ] as const;

  @Option({ flags: '--reason <text>', description: 'for those who find it paused' })
  parseReason(value: string): string {
    return value;
  }

  async run(args: string[], flags: GlobalOptions & { reason?: string }): Promise<void> {
    const { name, changed } = await onObservers(flags, async (services, settings) => {
      const observer = await requireObserver(services, settings, flags, args);
      return { name: observer, changed: await services.pauses.pause(settings.stream, observer, operator(), flags.reason ?? null) };
    });
    if (flags.format === 'json') return printJson({ observer: name, paused: true, changed });
    if (!changed) return print(`${name} was paused already (observers list)`);
    print(`${name} is paused: tries under way end, and what comes waits in PostgreSQL, in order`);
    print(`To let it go on: fraiseql-observers observers resume ${name}`);
  }
}

@SubCommand({ name: 'resume', arguments: '<name>', description: 'lets a paused observer go on with what has waited, in order' })
class ObserversResumeCommand extends ObserversCommand {
  protected readonly examples = [['let it go on', 'observers resume order-shipped']] as const;

  async run(args: string[], flags: GlobalOptions): Promise<void> {
    const [name] = args;
    const { changed, led, ...waits } = await onObservers(flags, async (services, settings) => {
      // One that is configured no longer can be resumed too.
      const observer = name ?? (await requireObserver(services, settings, flags, args));
      const resumed = await services.pauses.resume(settings.stream, observer, operator());
      if (!resumed.changed) await requireObserver(services, settings, flags, args);
      return { ...resumed, led: await isLed(services, settings) };
    });
    if (flags.format === 'json') return printJson({ observer: name, paused: false, changed, ...waits });
    if (!changed) return print(`${name} was not paused`);
    for (const line of resumedLines(name ?? '', waits, led)) print(line);
  }
}

function resumedLines(name: string, { waiting, parked, behind }: Resumed, led: boolean): string[] {
  const when = led ? 'as places are free' : 'as soon as a service leads the stream';
  const lines = [
    waiting === 0
      ? `${name} is paused no longer: nothing has waited${parked === 0 ? '' : ' that could go on'}`
      : `${name} goes on: ${counted(waiting, 'delivery has', 'deliveries have')} waited, and ${waiting === 1 ? 'is' : 'are'} sent ${when}`,
  ];
  if (parked > 0)
    lines.push(`${counted(parked, 'lane stays', 'lanes stay')} parked, and ${counted(behind, 'delivery waits', 'deliveries wait')} behind ${parked === 1 ? 'its head' : 'their heads'}   (lanes list)`); // prettier-ignore
  return lines;
}

/** Whether anybody does anything at the moment. */
async function isLed({ status }: ObserverServices, { stream }: Settings): Promise<boolean> {
  return (await status.listeners(stream)).leader?.alive === true;
}

const NOBODY_LEADS = 'No service leads the stream: nothing is delivered until one starts.';

const SUB_COMMANDS = [ObserversListCommand, ObserversPauseCommand, ObserversResumeCommand];

@Command({ name: 'observers', description: 'who observes what; pausing and resuming them', subCommands: SUB_COMMANDS })
export class ObserversListingCommand extends CommandGroup {
  static readonly subCommands = SUB_COMMANDS;
}
