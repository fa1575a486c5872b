import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import type { ActionDefinition, EndpointDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import { failed, type Outcome } from '../event/outcome';
import type { TermContext } from '../event/term-context';
import { hasTags } from '../matching/template/template';
import { forgetGone, markGone, readGone, type GoneEndpoint } from './gone-endpoints.sql';

/**
 * Endpoints whose receiver has said 410, that it is gone for good. They are asked no more: what is for them is dead untried, until a
 * redrive, which is always tried, succeeds, or the observers file gives another URL.
 */
export class GoneEndpoints {
  private readonly gone = new Map<string, GoneEndpoint>();

  private constructor(
    private readonly pool: Pool,
    private readonly term: TermContext,
  ) {}

  static async load(pool: Pool, term: TermContext): Promise<GoneEndpoints> {
    const endpoints = new GoneEndpoints(pool, term);
    for (const one of await readGone(pool, term.stream)) endpoints.gone.set(one.endpoint, one);
    return endpoints;
  }

  /** The outcome of a delivery that is not even tried; null for all others. */
  refuse(action: ActionDefinition): Outcome | null {
    if (this.gone.size === 0) return null;
    const endpoint = endpointOf(action);
    const found = endpoint === null ? undefined : this.gone.get(endpoint.name);
    if (endpoint === null || found === undefined || found.urlHash !== hashOf(endpoint)) return null;
    const message = `the endpoint ${endpoint.name} is gone: it answered 410 at ${found.since.toISOString()}, and is not asked since`;
    return failed('gone', `${message}; a redrive that succeeds, or another url, opens it again`);
  }

  /** @param redrive whether a person asked for the try, so that a success counts for those to come */
  learn(action: ActionDefinition, outcome: Outcome, redrive: boolean): void {
    const endpoint = endpointOf(action);
    if (endpoint === null) return;
    if (!outcome.ok && outcome.error === 'gone' && outcome.status === 410) this.mark(endpoint);
    else if (outcome.ok && redrive && this.gone.delete(endpoint.name)) {
      this.term.logger.info({ endpoint: endpoint.name }, 'the endpoint is back: it is asked again');
      this.keep(forgetGone(this.pool, this.term.stream, endpoint.name));
    }
  }

  private mark(endpoint: EndpointDefinition): void {
    const urlHash = hashOf(endpoint);
    if (this.gone.get(endpoint.name)?.urlHash === urlHash) return;
    const one = { endpoint: endpoint.name, urlHash, since: new Date(this.term.clock.now()) };
    this.gone.set(endpoint.name, one);
    this.term.logger.error(
      { endpoint: endpoint.name },
      'the endpoint is gone for good (410): its deliveries go to the dead letter queue untried',
    );
    this.keep(markGone(this.pool, this.term.stream, one));
  }

  /** When it cannot be written now, the next leader learns it from the receiver. */
  private keep(written: Promise<void>): void {
    written.catch((error: unknown) => this.term.logger.warn({ err: messageOf(error) }, 'which endpoints are gone could not be recorded'));
  }
}

/** Null where 410 is not about the endpoint: of other actions, and where the URL is another one for each event. */
function endpointOf(action: ActionDefinition): EndpointDefinition | null {
  if (action.type !== 'webhook' && action.type !== 'slack') return null;
  return hasTags(action.endpoint.url) ? null : action.endpoint;
}

function hashOf({ url }: EndpointDefinition): string {
  return createHash('sha256').update(url).digest('hex');
}
