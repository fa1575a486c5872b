import { BaseConnection, Client, errors, Serializer } from '@elastic/elasticsearch';
import type {
  ConnectionOptions,
  ConnectionRequestParams,
  ConnectionRequestResponse,
  TransportRequestOptions,
} from '@elastic/elasticsearch';
import { Pool } from 'undici';
import { messageOf } from '../../event/errors';
import { parseSpelledJson } from '../../event/json-document';
import type { Failed } from '../../event/outcome';
import { DeadlineError, InterruptedError } from '../http/network-failure';
import type { StoredDocument, WriteAnswer } from './outcomes';
import { failureOfRequest } from './request-failure';
import type { DocumentChange } from './document-change';

export interface ClusterSettings {
  readonly nodes: readonly string[];
  /** Encoded as Elasticsearch gives it out; null: user and password of the nodes' URLs, or nobody. */
  readonly apiKey: string | null;
  /** PEM; null: the authorities of this machine. */
  readonly ca: string | null;
}

/** A request of any of Elasticsearch's interfaces. */
export interface ClusterRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly querystring?: string;
  readonly body?: object;
  /** In place of `body`: JSON, a line each. */
  readonly lines?: readonly string[];
}

/** What was asked for, or why there is no answer. */
export type ClusterAnswer<T> = { readonly items: readonly T[] } | { readonly failure: Failed };

/** What went wrong below HTTP: the client keeps only the message of it. */
type Exchange = { failure: Error | null };

/** The nodes of one cluster, taken in turn; one that does not answer is left alone for a while. Whoever calls decides about retries. */
export class Cluster {
  private readonly client: Client;

  constructor({ nodes, apiKey, ca }: ClusterSettings) {
    this.client = new Client({
      nodes: [...nodes],
      ...(apiKey === null ? {} : { auth: { apiKey } }),
      ...(ca === null ? {} : { tls: { ca } }),
      maxRetries: 0,
      Connection: NodeConnection,
      Serializer: ExactSerializer,
      enableMetaHeader: false,
    });
  }

  /**
   * Writes documents; each succeeds or fails by itself. Ids are in the body, and not in a path: one that is `..` would there name the
   * index for any proxy on the way that tidies paths up, and a deletion would delete that.
   *
   * @param timeout milliseconds
   * @returns one answer for each change, in their order
   */
  async write(changes: readonly DocumentChange[], timeout: number): Promise<ClusterAnswer<WriteAnswer>> {
    const operations = changes.flatMap((change) => {
      const { index, id, routing, operation, version, document } = change;
      // "gte": the same change may be written again, by another try or by another action.
      const at = { _index: index, _id: id, version, version_type: 'external_gte', ...(routing === null ? {} : { routing }) };
      return operation === 'delete' ? [JSON.stringify({ delete: at })] : [JSON.stringify({ index: at }), document];
    });
    const answer = await this.request(timeout, (options) =>
      this.client.bulk<string, string>({ operations, filter_path: ['items.*.status', 'items.*.error'] }, options),
    );
    if ('failure' in answer) return answer;
    const items = ((answer.body as { items?: Record<string, WriteAnswer>[] }).items ?? []).flatMap((item) => Object.values(item));
    if (items.length !== changes.length) throw new Error(`Elasticsearch answered ${items.length} of ${changes.length} writes`);
    return { items };
  }

  /**
   * What is stored of documents now, refreshed or not. Without a filter_path, which copies a document number by number.
   *
   * @returns one answer for each change, in their order
   */
  async read(changes: readonly DocumentChange[], timeout: number): Promise<ClusterAnswer<StoredDocument>> {
    const docs = changes.map(({ index, id, routing }) => ({ _index: index, _id: id, ...(routing === null ? {} : { routing }) }));
    const answer = await this.request(timeout, (options) => this.client.mget({ docs }, options));
    if ('failure' in answer) return answer;
    const { docs: items = [] } = answer.body as { docs?: StoredDocument[] };
    if (items.length !== changes.length) throw new Error(`Elasticsearch answered ${items.length} of ${changes.length} reads`);
    return { items };
  }

  /** Anything else. What Elasticsearch refuses is a failure with its status. @param timeout milliseconds */
  ask({ lines, body, ...request }: ClusterRequest, timeout: number): Promise<{ readonly body: unknown } | { readonly failure: Failed }> {
    const content = lines === undefined ? (body === undefined ? {} : { body: { ...body } }) : { bulkBody: [...lines] };
    return this.request(timeout, (options) => this.client.transport.request({ ...request, ...content }, options));
  }

  /** Requests under way end as interrupted. */
  async close(): Promise<void> {
    await this.client.close();
  }

  private async request(
    timeout: number,
    send: (options: TransportRequestOptions) => Promise<unknown>,
  ): Promise<{ readonly body: unknown } | { readonly failure: Failed }> {
    const context: Exchange = { failure: null };
    // One deadline covers dialling and the whole answer; the client's is per phase.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new DeadlineError(`no answer within ${timeout} ms`)), timeout);
    try {
      return { body: await send({ context, signal: deadline.signal, openTelemetry: { enabled: false } }) };
    } catch (error) {
      return { failure: failureOfRequest(error, context.failure) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Keep-alive connections to one node. */
class NodeConnection extends BaseConnection {
  private readonly pool: Pool;

  constructor(options: ConnectionOptions) {
    super(options);
    this.pool = new Pool(this.url.origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 10_000,
      connect: { ca: options.tls?.ca },
    });
  }

  // `never`, for the class has a second form, that answers with a stream; the client does not use it here.
  override async request(
    params: ConnectionRequestParams,
    { context, signal }: { context: Exchange; signal?: AbortSignal },
  ): Promise<never> {
    const { method, path, querystring = '', body = null } = params;
    const prefix = this.url.pathname.replace(/\/$/, '');
    try {
      const response = await this.pool.request({
        method,
        path: `${prefix}${path}${querystring === '' ? '' : `?${querystring}`}`,
        headers: { ...this.headers, ...params.headers },
        body,
        signal: signal ?? null,
      });
      const answer: ConnectionRequestResponse = {
        statusCode: response.statusCode,
        headers: response.headers,
        body: await response.body.text(),
      };
      return answer as never;
    } catch (error) {
      context.failure = error as Error;
      // This one makes the client leave the node alone for a while.
      throw new errors.ConnectionError(messageOf(error));
    }
  }

  override async close(): Promise<void> {
    await this.pool.destroy(new InterruptedError('the service is stopping'));
  }
}

/** A stored document is merged and written again: its numbers must not become doubles. */
class ExactSerializer extends Serializer {
  override deserialize<T>(json: string): T {
    try {
      return parseSpelledJson(json) as T;
    } catch (error) {
      throw new errors.DeserializationError(messageOf(error), json);
    }
  }
}
