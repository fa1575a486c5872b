import type {
  ActionDefinition,
  CaptureDefinition,
  DedupPolicy,
  EndpointDefinition,
  ObserverDefinition,
  ObserversDefinition,
  RetryPolicy,
} from '../../event/definitions';
import { CHANGE_KINDS, type ChangeKind } from '../../event/entity-event';
import { parseTableName } from '../../database/names';
import { observerOwner, type CapturedColumn, type ColumnMentions } from '../column-mentions';
import { FileProblems, type Path } from '../file-problems';
import { linkAction } from './actions';
import type { LinkContext } from './context';
import type { CustomActionTypes } from '../custom-action-types';
import { EndpointLinker, endpointOwner } from './endpoints';
import { LookupLinker } from './lookups';
import { linkTiming } from './timing';
import { didYouMean, type Problem } from '../problems';
import { Redaction } from '../redaction';
import type { Rules } from '../rules';
import type { CaptureShape, ObserverShape, ObserversFileShape } from '../schema/observers-file';
import { NAME, NAME_EXPECTED } from '../schema/parts';
import type { Settings } from '../settings';
import type { ConfigSource } from '../source';
import { compileTemplate, hasTags } from '../../matching/template/template';
import { durationOf, formatDuration } from '../units';

const DEFAULT_RETRY = { strategy: 'exponential', maxAttempts: 8, initialDelay: '1s', maxDelay: '1h', maxElapsed: '3d' } as const;

/** Added to an action's timeout for the lease of its dedup key. */
const LEASE_MARGIN = 30_000;

/** Turns the file's shape into definitions: defaults, links between sections, and the checks that need more than one place. */
export class Linker {
  private readonly collected: FileProblems;
  private readonly context: LinkContext;
  private readonly lookups: LookupLinker;
  private readonly captured: CapturedColumn[] = [];
  private readonly tables: { readonly table: string; readonly tell: (message: string) => Problem }[] = [];
  private linked: readonly ObserverDefinition[] = [];

  /** @param rules those of the release that recorded the text */
  constructor(
    source: ConfigSource,
    settings: Settings,
    custom: CustomActionTypes,
    private readonly rules: Rules,
  ) {
    this.collected = new FileProblems(source);
    const endpoints = new EndpointLinker(this.collected);
    this.context = { problems: this.collected, settings, endpoints, custom };
    this.lookups = new LookupLinker(this.collected, endpoints);
  }

  get problems(): readonly Problem[] {
    return this.collected.found;
  }

  get warnings(): readonly Problem[] {
    return this.collected.warnings;
  }

  /** What `link` has found. */
  get columns(): ColumnMentions {
    return { mentions: this.collected.mentions.mentions(this.linked), captured: this.captured, tables: this.tables };
  }

  link(content: ObserversFileShape): ObserversDefinition {
    const { endpoints } = this.context;
    const captures = (content.capture ?? []).map((capture, i) => this.capture(capture, ['capture', i]));
    const tables = captures.map(({ table }) => JSON.stringify(parseTableName(table) ?? table));
    this.collected.unique(tables.map((table) => captures[tables.indexOf(table)]?.table ?? table), (i) => ['capture', i, 'table'], 'table'); // prettier-ignore
    for (const [name, endpoint] of Object.entries(content.endpoints ?? {})) {
      // A slash would make it the name that an action's own url gets.
      if (!NAME.test(name)) this.collected.found.push(this.collected.source.keyProblem(['endpoints'], name, NAME_EXPECTED));
      const define = (): EndpointDefinition => endpoints.define(name, endpoint, ['endpoints', name]);
      endpoints.named.set(name, this.collected.mentions.within(endpointOwner(name), define));
    }
    this.lookups.define(content.lookups ?? {});
    const strict = content.strict_templates ?? false;
    const observers = (content.observers ?? []).map((observer, i) =>
      this.collected.mentions.within(observerOwner(i), () =>
        this.lookups.within(observer.lookups ?? [], ['observers', i, 'lookups'], () => this.observer(observer, strict, ['observers', i])),
      ),
    );
    this.linked = observers;
    this.collected.unique(observers.map(({ name }) => name), (i) => ['observers', i, 'name'], 'observer'); // prettier-ignore
    const alerts = content.alerts === undefined ? null : endpoints.of(content.alerts, 'alerts', ['alerts']);
    if (alerts !== null && [alerts.url, ...Object.values(alerts.headers)].some((text) => hasTags(text)))
      this.collected.add(['alerts'], 'an alert is about many events: its endpoint may hold no template');
    observers.forEach(({ onFailure }, i) => {
      if (onFailure === 'alert' && alerts === null)
        this.collected.add(
          ['observers', i, 'on_failure'],
          'an alert needs somewhere to go: give alerts: { endpoint: NAME } or alerts: { url: … }',
        );
    });
    this.warnAboutEntities(observers, captures);
    const { varying, redaction } = { varying: this.varying(observers), redaction: new Redaction(this.collected.source.filled) };
    return { captures, endpoints: [...endpoints.named.values()], alerts, observers, varying, redaction };
  }

  private varying(observers: readonly ObserverDefinition[]): ReadonlySet<string> {
    const { source } = this.collected;
    const varies = ({ actions }: ObserverDefinition, i: number): boolean =>
      ['name', 'entity', 'on', 'columns', 'ignore_unchanged', 'when'].some((key) => source.hasReferences(['observers', i, key])) ||
      actions.some((_action, j) => ['name', 'type'].some((key) => source.hasReferences(['observers', i, 'actions', j, key])));
    return new Set(observers.filter(varies).map(({ name }) => name));
  }

  private capture(shape: CaptureShape, path: Path): CaptureDefinition {
    const { include = null, exclude = [], mask = {} } = shape.columns ?? {};
    this.mentionCaptured(shape, path);
    for (const key of shape.key ?? []) {
      if (exclude.includes(key) || Object.hasOwn(mask, key) || (include !== null && !include.includes(key))) {
        this.collected.add([...path, 'key'], `the key column "${key}" must be visible: it is how the entity is told`);
      }
    }
    if (include !== null && exclude.length > 0)
      this.collected.add([...path, 'columns'], 'include and exclude together contradict each other; give one of them');
    return {
      table: shape.table,
      entity: shape.entity ?? parseTableName(shape.table)?.table ?? shape.table,
      key: shape.key ?? null,
      before: shape.before ?? true,
      tenant: shape.tenant ?? null,
      include,
      exclude,
      mask,
      when: shape.when ?? null,
      strict: shape.strict ?? false,
    };
  }

  private mentionCaptured({ table, key = [], tenant, columns = {} }: CaptureShape, path: Path): void {
    const { source } = this.collected;
    this.tables.push({ table, tell: (message) => source.problem([...path, 'table'], message) });
    const list = (names: readonly string[], at: Path): [string, Path][] => names.map((name, i) => [name, [...at, i]]);
    const { include = [], exclude = [], mask = {} } = columns;
    const named: [string, Path][] = [
      ...list(key, [...path, 'key']),
      ...(tenant === undefined ? [] : [[tenant, [...path, 'tenant']] satisfies [string, Path]]),
      ...list(include, [...path, 'columns', 'include']),
      ...list(exclude, [...path, 'columns', 'exclude']),
    ];
    for (const [name, at] of named) this.captured.push({ table, name, tell: (message) => source.problem(at, message) });
    for (const name of Object.keys(mask))
      this.captured.push({ table, name, tell: (message) => source.keyProblem([...path, 'columns', 'mask'], name, message) });
  }

  private columnsOf(columns: readonly string[], kinds: readonly ChangeKind[], path: Path): readonly string[] {
    this.collected.unique(columns, (i) => [...path, i], 'column');
    if (!kinds.includes('update'))
      this.collected.warnings.push(this.collected.source.problem(path, 'columns narrows updates, and this observer is not for updates'));
    columns.forEach((name, i) =>
      this.collected.mentions.note({
        name,
        use: 'change',
        template: false,
        tell: (message) => this.collected.source.problem([...path, i], message),
      }),
    );
    return columns;
  }

  private observer(shape: ObserverShape, strictTemplates: boolean, path: Path): Omit<ObserverDefinition, 'lookups'> {
    const entities = typeof shape.entity === 'string' ? [shape.entity] : shape.entity;
    if (entities.includes('*') && entities.length > 1) this.collected.add([...path, 'entity'], '"*" means all entities, and stands alone');
    const { when = null } = shape;
    if (when !== null) this.collected.condition([...path, 'when'], when, this.rules.timesAsText);
    const kinds = shape.on === undefined ? CHANGE_KINDS : [shape.on].flat();
    this.collected.unique(entities, (i) => [...path, 'entity', i], 'entity');
    this.collected.unique(kinds, (i) => [...path, 'on', i], 'kind');
    const actions = shape.actions.map((action, i) => linkAction(action, shape.name, [...path, 'actions', i], this.context));
    this.collected.unique(actions.map(({ name }) => name), (i) => [...path, 'actions', i], 'action'); // prettier-ignore
    return {
      name: shape.name,
      mode: shape.mode ?? 'live',
      entities: entities.includes('*') ? '*' : entities,
      kinds,
      columns: shape.columns === undefined ? null : this.columnsOf(shape.columns, kinds, [...path, 'columns']),
      ignoreUnchanged: shape.ignore_unchanged ?? this.rules.ignoreUnchanged,
      when,
      ...(this.rules.timesAsText && { timesAsText: true }),
      strictTemplates: shape.strict_templates ?? strictTemplates,
      ordering: shape.ordering ?? 'none',
      ...linkTiming(shape, path, this.collected, this.rules.timesAsText),
      dedup: shape.dedup === undefined ? null : this.dedup(shape.dedup, actions, [...path, 'dedup']),
      onFailure: shape.on_failure ?? 'dlq',
      retry: this.retry(shape.retry ?? {}, [...path, 'retry']),
      actions,
    };
  }

  private dedup(shape: NonNullable<ObserverShape['dedup']>, actions: readonly ActionDefinition[], path: Path): DedupPolicy {
    const { key = null } = shape;
    if (key !== null) this.collected.template([...path, 'key'], () => compileTemplate(key, 'text'));
    const longest = Math.max(...actions.map(longestRun));
    const lease = shape.lease === undefined ? longest + LEASE_MARGIN : durationOf(shape.lease);
    if (lease <= longest)
      this.collected.add(
        [...path, 'lease'],
        `the lease must be longer than the longest action may take (${formatDuration(longest)}), or another one begins beside it`,
      );
    return { key, window: durationOf(shape.window), lease };
  }

  private retry(shape: NonNullable<ObserverShape['retry']>, path: Path): RetryPolicy {
    const schedule = (shape.schedule ?? []).map(durationOf);
    const strategy = shape.strategy ?? (schedule.length > 0 ? 'schedule' : DEFAULT_RETRY.strategy);
    if (strategy === 'schedule' && schedule.length === 0)
      this.collected.add(path, 'strategy: schedule needs a schedule, such as [5s, 5m, 30m, 2h]');
    if (strategy !== 'schedule' && schedule.length > 0)
      this.collected.add([...path, 'schedule'], `a schedule belongs to strategy: schedule, not to ${strategy}`);
    if (strategy === 'schedule' && shape.max_attempts !== undefined)
      this.collected.add([...path, 'max_attempts'], 'the schedule problems how many attempts there are; leave max_attempts out');
    const initialDelay = durationOf(shape.initial_delay ?? DEFAULT_RETRY.initialDelay);
    const maxDelay = durationOf(shape.max_delay ?? DEFAULT_RETRY.maxDelay);
    if (initialDelay > maxDelay) this.collected.add([...path, 'initial_delay'], 'initial_delay is longer than max_delay');
    return {
      strategy,
      maxAttempts: strategy === 'schedule' ? schedule.length + 1 : (shape.max_attempts ?? DEFAULT_RETRY.maxAttempts),
      initialDelay,
      maxDelay,
      maxElapsed: durationOf(shape.max_elapsed ?? DEFAULT_RETRY.maxElapsed),
      schedule,
    };
  }

  /** Not an error: an application may write change rows of its own. */
  private warnAboutEntities(observers: readonly ObserverDefinition[], captures: readonly CaptureDefinition[]): void {
    const captured = captures.map(({ entity }) => entity);
    observers.forEach(({ entities }, i) => {
      for (const entity of entities === '*' ? [] : entities) {
        if (captured.includes(entity)) continue;
        const message = `entity "${entity}" is not captured by this file${didYouMean(entity, captured)}`;
        this.collected.warnings.push(this.collected.source.problem(['observers', i, 'entity'], message));
      }
    });
  }
}

function longestRun(action: ActionDefinition): number {
  if (action.type === 'log') return 0;
  return 'timeout' in action ? action.timeout : action.endpoint.timeout;
}
