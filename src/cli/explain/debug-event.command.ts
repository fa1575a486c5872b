import { Command, Option } from 'nest-commander';
import type { Settings } from '../../config/settings';
import type { EventExplanation } from '../../explain/explain';
import type { ExplainOptions } from '../../explain/explanations.service';
import { EVENT_KINDS } from '../../event/entity-event';
import { ExitCode, OperatorError } from '../../event/errors';
import { definitionReader, ObserversCommand, type GlobalOptions } from '../command';
import { refuseUnknownNames } from '../known-names';
import { onServices, type Get } from '../modules';
import { print, printJson } from '../output';
import { isUuid, wholeNumber } from '../values';
import type { Renderings } from '../dry-run/render-explained';
import { explanationJson, renderedJson } from '../../explain/explanation-json';
import { explanationLines, historyRow, printHistory, type HistoryRow } from './explanation-text';

interface DebugEventFlags extends GlobalOptions {
  readonly eventId?: string;
  readonly history?: number;
  readonly entityType?: string;
  readonly entityKey?: string;
  readonly kind?: string;
  readonly current?: boolean;
  readonly render?: boolean;
}

const MOST = 1_000;

@Command({
  name: 'debug-event',
  description: 'why an event did, or did not, cause what it should: every observer with its reason, every delivery with its tries',
})
export class DebugEventCommand extends ObserversCommand {
  protected readonly examples = [
    ['the last events, a line each', 'debug-event --history 20'],
    ['of one entity', 'debug-event --history 20 --entity-type Order --entity-key 42'],
    ['why an event did, or did not, cause what it should', 'debug-event --event-id 1234'],
    ['by the configuration that runs now', 'debug-event --event-id 0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f --current'],
  ] as const;

  @Option({ flags: '--event-id <id>', description: 'the id in the body of its webhooks, or a change number' })
  parseEventId(value: string): string {
    if (isUuid(value) || /^\d{1,15}$/.test(value)) return value.toLowerCase();
    throw new OperatorError(`"${value}" is not the id of an event`, 'Events and their ids: fraiseql-observers debug-event --history 20');
  }

  @Option({ flags: '--history <n>', description: 'the last n events, a line each' })
  parseHistory(value: string): number {
    return Math.min(MOST, wholeNumber('--history', value));
  }

  @Option({ flags: '--entity-type <type>', description: 'with --history: only this type of entity' })
  parseEntityType(value: string): string {
    return value;
  }

  @Option({ flags: '--entity-key <key>', description: 'with --history: only this entity' })
  parseEntityKey(value: string): string {
    return value;
  }

  @Option({ flags: '--kind <kind>', description: 'with --history: only these', choices: [...EVENT_KINDS] })
  parseKind(value: string): string {
    return value;
  }

  @Option({ flags: '--current', description: 'by the configuration that runs now, instead of the one that decided' })
  parseCurrent(): boolean {
    return true;
  }

  @Option({ flags: '--render', description: 'with --event-id: what each delivery sends, rendered anew by the version that decided' })
  parseRender(): boolean {
    return true;
  }

  async run(_args: string[], flags: DebugEventFlags): Promise<void> {
    const { eventId, history } = flags;
    if ((eventId === undefined) === (history === undefined))
      throw new OperatorError('say which event, or how many of the last', 'debug-event --event-id ID, or debug-event --history 20');
    const { ConfigModule } = await import('../../config/config.module');
    const { ExplainModule } = await import('../../explain/explain.module');
    const modules = [ConfigModule, ExplainModule];
    const json = flags.format === 'json';
    if (eventId === undefined) {
      if (flags.render) throw new OperatorError('--render is for one event', 'debug-event --event-id ID --render');
      const show = json ? explanationJson : historyRow;
      const rows = await onServices(flags, modules, (get, settings) => this.latest<unknown>(get, settings, flags, show));
      if (rows.length === 0) await refuseUnknownNames(flags);
      return json ? printJson(rows) : printHistory(rows as HistoryRow[]);
    }
    const [only, renderings] = await onServices(flags, modules, async (get, settings) => {
      const explained = await this.one(get, settings, flags, eventId);
      return [explained, await this.renderings(get, settings, flags, explained)] as const;
    });
    if (json) return printJson(renderings === null ? explanationJson(only) : renderedJson(only, renderings));
    for (const line of explanationLines(only, renderings)) print(line);
  }

  private async renderings(get: Get, settings: Settings, flags: DebugEventFlags, explained: EventExplanation): Promise<Renderings | null> {
    if (!flags.render) return null;
    const { ConfigVersions } = await import('../../config/config-versions.service');
    const { renderExplained } = await import('../dry-run/render-explained');
    return renderExplained(get(ConfigVersions), settings, flags, explained);
  }

  private async one(get: Get, settings: Settings, flags: DebugEventFlags, id: string): Promise<EventExplanation> {
    const { StoredEvents } = await import('../../explain/stored-events.service');
    const change = isUuid(id) ? await get(StoredEvents).find(id) : Number(id);
    const [explained] = change === null ? [] : await this.explain(get, settings, flags, [change]);
    if (explained !== undefined) return explained;
    throw new OperatorError(
      `there is no event ${id} in the change log: it was never captured, or is older than what is kept (OBSERVERS_RETENTION)`,
      'The last events: fraiseql-observers debug-event --history 20',
      ExitCode.notFound,
    );
  }

  private async latest<T>(get: Get, settings: Settings, flags: DebugEventFlags, made: (explained: EventExplanation) => T): Promise<T[]> {
    const { StoredEvents } = await import('../../explain/stored-events.service');
    const { Explanations } = await import('../../explain/explanations.service');
    const { history = 0, entityType = null, entityKey = null, kind = null } = flags;
    const changes = await get(StoredEvents).latest({ entityType, entityKey, kind }, history);
    return (await get(Explanations).map(changes, await explainOptions(settings, flags), made)).reverse();
  }

  private async explain(get: Get, settings: Settings, flags: DebugEventFlags, changes: readonly number[]): Promise<EventExplanation[]> {
    const { Explanations } = await import('../../explain/explanations.service');
    return get(Explanations).of(changes, await explainOptions(settings, flags));
  }
}

async function explainOptions(settings: Settings, flags: DebugEventFlags): Promise<ExplainOptions> {
  const { stream, retention, maxEventSize } = settings;
  return { stream, retention, maxEventSize, current: flags.current ?? false, definitionOf: await definitionReader(flags, settings) };
}
