import type {
  ActionDefinition,
  BodyTemplate,
  CaptureDefinition,
  EndpointDefinition,
  ObserverDefinition,
  ObserversDefinition,
  RetryPolicy,
} from '../event/definitions';
import { EVENT_KINDS } from '../event/entity-event';
import { sendsJson } from '../event/webhook-headers';
import { compileCondition, ConditionSyntaxError } from '../matching/condition/condition';
import { compileBody, compileTemplate, TemplateError } from '../matching/template/template';
import { addressProblem, headerProblem, repeatedHeader, secretProblem, urlProblem } from './checks';
import { didYouMean, type Problem } from './problems';
import { NAME, NAME_EXPECTED, type ActionShape, type CaptureShape, type EndpointShape, type ObserverShape, type ObserversFileShape, type WebhookShape } from './schema'; // prettier-ignore
import type { ConfigSource } from './source';
import { parseDuration } from './units';

type Path = readonly (string | number)[];

const DEFAULT_RETRY = { strategy: 'exponential', maxAttempts: 8, initialDelay: '1s', maxDelay: '1h', maxElapsed: '3d' } as const;
const DEFAULT_TIMEOUT = '10s';
const DEFAULT_CONCURRENCY = 32;

/** Turns the file's shape into definitions: defaults, links between sections, and the checks that need more than one place. */
export class Linker {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  private readonly endpoints = new Map<string, EndpointDefinition>();

  constructor(private readonly source: ConfigSource) {}

  link(content: ObserversFileShape): ObserversDefinition {
    const captures = (content.capture ?? []).map((capture, i) => this.capture(capture, ['capture', i]));
    this.unique(captures.map(({ table }) => table), (i) => ['capture', i, 'table'], 'table'); // prettier-ignore
    for (const [name, endpoint] of Object.entries(content.endpoints ?? {})) {
      // A slash would make it the name that an action's own url gets.
      if (!NAME.test(name)) this.problems.push(this.source.keyProblem(['endpoints'], name, NAME_EXPECTED));
      this.endpoints.set(name, this.endpoint(name, endpoint, ['endpoints', name]));
    }
    const observers = (content.observers ?? []).map((observer, i) => this.observer(observer, ['observers', i]));
    this.unique(observers.map(({ name }) => name), (i) => ['observers', i, 'name'], 'observer'); // prettier-ignore
    this.warnAboutEntities(observers, captures);
    return { captures, endpoints: [...this.endpoints.values()], observers };
  }

  private capture(shape: CaptureShape, path: Path): CaptureDefinition {
    const { include = null, exclude = [], mask = {} } = shape.columns ?? {};
    for (const key of shape.key ?? []) {
      if (exclude.includes(key) || Object.hasOwn(mask, key) || (include !== null && !include.includes(key))) {
        this.complain([...path, 'key'], `the key column "${key}" must be visible: it is how the entity is told`);
      }
    }
    if (include !== null && exclude.length > 0)
      this.complain([...path, 'columns'], 'include and exclude together contradict each other; give one of them');
    return {
      table: shape.table,
      entity: shape.entity ?? (shape.table.split('.')[1] as string),
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

  private endpoint(name: string, shape: EndpointShape | WebhookShape, path: Path): EndpointDefinition {
    const url = shape.url ?? '';
    this.check([...path, 'url'], urlProblem(url));
    this.template([...path, 'url'], () => compileTemplate(url, 'url'));
    this.headers(shape.headers ?? {}, [...path, 'headers']);
    const secrets = shape.signing?.secrets ?? [];
    secrets.forEach((secret, i) => this.check([...path, 'signing', 'secrets', i], secretProblem(secret)));
    (shape.allow_addresses ?? []).forEach((entry, i) => this.check([...path, 'allow_addresses', i], addressProblem(entry)));
    return {
      name,
      url,
      headers: shape.headers ?? {},
      signingSecrets: secrets,
      timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT),
      concurrency: shape.concurrency ?? DEFAULT_CONCURRENCY,
      allowAddresses: shape.allow_addresses ?? [],
    };
  }

  private observer(shape: ObserverShape, path: Path): ObserverDefinition {
    const entities = typeof shape.entity === 'string' ? [shape.entity] : shape.entity;
    if (entities.includes('*') && entities.length > 1) this.complain([...path, 'entity'], '"*" means all entities, and stands alone');
    const { when = null } = shape;
    if (when !== null) this.condition([...path, 'when'], when);
    const kinds = shape.on === undefined ? EVENT_KINDS : [shape.on].flat();
    this.unique(entities, (i) => [...path, 'entity', i], 'entity');
    this.unique(kinds, (i) => [...path, 'on', i], 'kind');
    const actions = shape.actions.map((action, i) => this.action(action, shape.name, [...path, 'actions', i]));
    this.unique(actions.map(({ name }) => name), (i) => [...path, 'actions', i], 'action'); // prettier-ignore
    return {
      name: shape.name,
      entities: entities.includes('*') ? '*' : entities,
      kinds,
      when,
      retry: this.retry(shape.retry ?? {}, [...path, 'retry']),
      actions,
    };
  }

  private retry(shape: NonNullable<ObserverShape['retry']>, path: Path): RetryPolicy {
    const schedule = (shape.schedule ?? []).map(durationOf);
    const strategy = shape.strategy ?? (schedule.length > 0 ? 'schedule' : DEFAULT_RETRY.strategy);
    if (strategy === 'schedule' && schedule.length === 0)
      this.complain(path, 'strategy: schedule needs a schedule, such as [5s, 5m, 30m, 2h]');
    if (strategy !== 'schedule' && schedule.length > 0)
      this.complain([...path, 'schedule'], `a schedule belongs to strategy: schedule, not to ${strategy}`);
    if (strategy === 'schedule' && shape.max_attempts !== undefined)
      this.complain([...path, 'max_attempts'], 'the schedule says how many attempts there are; leave max_attempts out');
    const initialDelay = durationOf(shape.initial_delay ?? DEFAULT_RETRY.initialDelay);
    const maxDelay = durationOf(shape.max_delay ?? DEFAULT_RETRY.maxDelay);
    if (initialDelay > maxDelay) this.complain([...path, 'initial_delay'], 'initial_delay is longer than max_delay');
    return {
      strategy,
      maxAttempts: strategy === 'schedule' ? schedule.length + 1 : (shape.max_attempts ?? DEFAULT_RETRY.maxAttempts),
      initialDelay,
      maxDelay,
      maxElapsed: durationOf(shape.max_elapsed ?? DEFAULT_RETRY.maxElapsed),
      schedule,
    };
  }

  private action(shape: ActionShape, observer: string, path: Path): ActionDefinition {
    const name = shape.name ?? shape.type;
    switch (shape.type) {
      case 'log':
        if (shape.message !== undefined) this.template([...path, 'message'], () => compileTemplate(shape.message as string, 'text'));
        return { type: 'log', name, level: shape.level ?? 'info', message: shape.message ?? null };
      case 'webhook':
        return this.webhook(shape, name, `${observer}/${name}`, path);
    }
  }

  private webhook(shape: WebhookShape, name: string, ownEndpoint: string, path: Path): ActionDefinition {
    if ((shape.endpoint === undefined) === (shape.url === undefined))
      this.complain(path, 'give either endpoint (a name under endpoints:) or url');
    const { body = null, headers = {} } = shape;
    if (body !== null && shape.method === 'GET') this.complain([...path, 'body'], 'a GET carries no body; leave it out, or use POST');
    const endpoint = shape.endpoint === undefined ? this.endpoint(ownEndpoint, { ...shape, headers: {} }, path) : this.named(shape, path);
    this.headers(headers, [...path, 'headers']);
    if (body !== null) this.body(body, sendsJson({ endpoint, headers }), [...path, 'body']);
    return { type: 'webhook', name, endpoint, method: shape.method ?? 'POST', headers, body: body as BodyTemplate | null };
  }

  private named(shape: WebhookShape, path: Path): EndpointDefinition {
    for (const key of ['signing', 'timeout', 'concurrency', 'allow_addresses'] as const) {
      if (shape[key] !== undefined)
        this.complain([...path, key], `${key} belongs to the endpoint "${shape.endpoint}", for all actions that use it`);
    }
    const found = this.endpoints.get(shape.endpoint as string);
    if (found !== undefined) return found;
    const known = [...this.endpoints.keys()];
    this.complain([...path, 'endpoint'], `there is no endpoint "${shape.endpoint}"${didYouMean(shape.endpoint as string, known)}`);
    return { name: '', url: '', headers: {}, signingSecrets: [], timeout: 0, concurrency: 1, allowAddresses: [] };
  }

  private headers(headers: Readonly<Record<string, string>>, path: Path): void {
    for (const [header, value] of Object.entries(headers)) {
      const problem = headerProblem(header, value);
      if (problem === null) this.template([...path, header], () => compileTemplate(value, 'header'));
      else this.complain([...path, header], problem);
    }
    const repeated = repeatedHeader(Object.keys(headers));
    if (repeated !== null) this.complain([...path, repeated], `the header ${repeated} is there already, in other letters`);
  }

  /** Text by text, so that each mistake has its own place; as a whole only when they are all right, for what lies between them. */
  private body(body: unknown, json: boolean, path: Path): void {
    const before = this.problems.length;
    const visit = (part: unknown, at: Path): void => {
      if (typeof part === 'string') this.template(at, () => compileTemplate(part, 'text'));
      else if (Array.isArray(part)) part.forEach((entry, i) => visit(entry, [...at, i]));
      else if (typeof part === 'object' && part !== null) for (const [key, entry] of Object.entries(part)) visit(entry, [...at, key]);
    };
    visit(body, path);
    if (this.problems.length === before) this.template(path, () => compileBody(body as BodyTemplate, json));
  }

  private condition(path: Path, source: string): void {
    try {
      compileCondition(source);
    } catch (error) {
      if (!(error instanceof ConditionSyntaxError)) throw error;
      this.problems.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  private template(path: Path, compile: () => unknown): void {
    try {
      compile();
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.problems.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  private unique(names: readonly string[], path: (position: number) => Path, what: string): void {
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i) this.complain(path(i), `there is another ${what} "${name}"`);
    });
  }

  /** Not an error: an application may write change rows of its own. */
  private warnAboutEntities(observers: readonly ObserverDefinition[], captures: readonly CaptureDefinition[]): void {
    const captured = captures.map(({ entity }) => entity);
    observers.forEach(({ entities }, i) => {
      for (const entity of entities === '*' ? [] : entities) {
        if (captured.includes(entity)) continue;
        const message = `entity "${entity}" is not captured by this file${didYouMean(entity, captured)}`;
        this.warnings.push(this.source.problem(['observers', i, 'entity'], message));
      }
    });
  }

  private check(path: Path, message: string | null): void {
    if (message !== null) this.complain(path, message);
  }

  private complain(path: Path, message: string): void {
    this.problems.push(this.source.problem(path, message));
  }
}

function durationOf(text: string): number {
  return parseDuration(text) ?? 0;
}
