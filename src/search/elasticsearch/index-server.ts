import type { Cluster } from '../../connections/elasticsearch/cluster';
import { ExitCode, OperatorError } from '../../event/errors';
import type { Failed } from '../../event/outcome';
import { MAPPING_VERSION, partsOf, problemOfMark, templateOf, type Mark } from './index-definition';

/** Milliseconds for a request that is not about documents. */
const TIMEOUT = 10_000;

/** Elasticsearch does not do what it is asked, and may do it later; the message names the setting. */
export class IndexUnavailable extends OperatorError {
  constructor(
    message: string,
    remedy: string,
    /** Milliseconds that it asks for; null: it does not say. */
    readonly retryAfter: number | null = null,
    /** It has more than it can do: less is to be sent at once. */
    readonly overloaded = false,
  ) {
    super(message, remedy, ExitCode.connection);
  }
}

export function unavailable({ message, status, excerpt, retryAfter }: Failed): IndexUnavailable {
  const what = `the search index: ${message}${excerpt == null || status === 401 ? '' : `: ${excerpt.slice(0, 300)}`}`;
  const remedy =
    status === 403
      ? 'Give the user of ELASTICSEARCH_URL, or the key OBSERVERS_ELASTICSEARCH_API_KEY, the privileges that docs/search.md lists.'
      : 'Correct ELASTICSEARCH_URL (user and password included), OBSERVERS_ELASTICSEARCH_API_KEY or OBSERVERS_ELASTICSEARCH_CA_FILE, or wait until it is back: nothing is lost meanwhile.';
  return new IndexUnavailable(what, remedy, retryAfter ?? null, status === 429);
}

/** The indices of one stream in Elasticsearch. */
export class IndexServer {
  /** Indices that are known to be there, and ours. */
  private readonly known = new Set<string>();
  private hasTemplate = false;

  constructor(
    private readonly cluster: Cluster,
    /** As OBSERVERS_SEARCH_INDEX says; also the alias that searches go by. */
    readonly name: string,
    private readonly mark: Mark,
  ) {}

  /** Makes those that are not there. @param alias of the generation that is searched @throws IndexUnavailable */
  async prepare(names: Iterable<string>, alias: boolean): Promise<void> {
    if (!this.hasTemplate) await this.prepareTemplate();
    this.hasTemplate = true;
    for (const name of new Set(names)) {
      if (this.known.has(name)) continue;
      const body = alias ? { aliases: { [this.name]: {} } } : {};
      const made = await this.cluster.ask({ method: 'PUT', path: `/${name}`, body }, TIMEOUT);
      const isThere = 'failure' in made && made.failure.status === 400 && (made.failure.message ?? '').includes('resource_already_exists');
      if ('failure' in made && !isThere) throw unavailable(made.failure);
      await this.requireOwn(name);
      this.known.add(name);
    }
  }

  /** One that was thought to be there is not. */
  forget(): void {
    this.known.clear();
    this.hasTemplate = false;
  }

  /** Searches go by this generation from now on, and no longer by another. @throws IndexUnavailable */
  async show(generation: number): Promise<void> {
    const indices = await this.indices();
    // A search sees what was written with a delay of a second: without this it would miss the last documents, which the other generation has.
    for (const { name, generation: of } of indices) if (of === generation) await this.ask('POST', `/${name}/_refresh`);
    const actions = indices.flatMap(({ name, generation: of, shown }): object[] =>
      of === generation ? [{ add: { index: name, alias: this.name } }] : shown ? [{ remove: { index: name, alias: this.name } }] : [],
    );
    if (actions.length > 0) await this.ask('POST', '/_aliases', { actions });
  }

  /** Removes whole indices: of other generations than these, and of days before this one. @returns their names @throws IndexUnavailable */
  async tidy(generations: readonly number[], oldestDay: string): Promise<string[]> {
    const old = (await this.indices()).filter(({ generation, day }) => !generations.includes(generation) || day < oldestDay);
    for (const { name } of old) {
      await this.ask('DELETE', `/${name}`);
      this.known.delete(name);
    }
    return old.map(({ name }) => name);
  }

  /** Those that say that they are ours. */
  private async indices(): Promise<{ name: string; generation: number; day: string; shown: boolean }[]> {
    const body = (await this.ask('GET', `/${this.name}-g*`, undefined, 'filter_path=*.mappings._meta,*.aliases')) as Record<
      string,
      { readonly mappings?: { readonly _meta?: unknown }; readonly aliases?: Record<string, unknown> }
    >;
    return Object.entries(body).flatMap(([name, { mappings, aliases = {} }]) => {
      const parts = partsOf(this.name, name);
      const own = problemOfMark(mappings?._meta, this.mark, name) === null;
      return parts === null || !own ? [] : [{ name, ...parts, shown: Object.hasOwn(aliases, this.name) }];
    });
  }

  private async prepareTemplate(): Promise<void> {
    const path = `/_index_template/${this.name}`;
    const answer = await this.cluster.ask({ method: 'GET', path }, TIMEOUT);
    const missing = 'failure' in answer && answer.failure.status === 404;
    if ('failure' in answer && !missing) throw unavailable(answer.failure);
    const templates = 'failure' in answer ? [] : ((answer.body as { index_templates?: TemplateAnswer[] }).index_templates ?? []);
    const found = templates[0]?.index_template;
    if (found !== undefined) {
      this.requireMark(found._meta, `the index template "${this.name}"`);
      if ((found._meta as Mark).version === MAPPING_VERSION) return;
    }
    await this.ask('PUT', path, templateOf(this.name, this.mark));
  }

  private async requireOwn(name: string): Promise<void> {
    const body = (await this.ask('GET', `/${name}/_mapping`)) as Record<string, { mappings: { _meta?: unknown; properties?: Properties } }>;
    const found = Object.values(body)[0]?.mappings;
    this.requireMark(found?._meta, `the index "${name}"`);
    // Another template may have had the last word.
    if (found?.properties?.['grams']?.analyzer === 'whitespace') return;
    throw this.foreign(`the index "${name}" has another mapping than its template "${this.name}" says`);
  }

  private requireMark(found: unknown, what: string): void {
    const problem = problemOfMark(found, this.mark, what);
    if (problem !== null) throw this.foreign(problem);
  }

  private foreign(problem: string): IndexUnavailable {
    return new IndexUnavailable(problem, 'Set OBSERVERS_SEARCH_INDEX to a name that nothing else uses, or remove what has this one.');
  }

  private async ask(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object, querystring = ''): Promise<unknown> {
    const answer = await this.cluster.ask({ method, path, querystring, ...(body === undefined ? {} : { body }) }, TIMEOUT);
    if ('failure' in answer) throw unavailable(answer.failure);
    return answer.body;
  }
}

interface TemplateAnswer {
  readonly index_template: { readonly _meta?: unknown };
}

type Properties = Readonly<Record<string, { readonly analyzer?: string }>>;
