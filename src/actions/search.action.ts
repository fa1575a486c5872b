import { DEFAULT_BREAKER, type SearchActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { compileBody, compileTemplate, TemplateRenderError, type Template } from '../matching/template/template';
import type { ActionHandler, PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { renderingOf, type Rendering } from './rendering';
import type { SearchConnection } from '../connections/elasticsearch/connection';
import type { DocumentChange } from '../connections/elasticsearch/document-change';

/** Elasticsearch takes no longer one. */
const LONGEST_ID = 512;
/** Deliveries, of which those that come together share a request. */
const CONCURRENCY = 1_000;

/** Writes or deletes a document. Its version is the change number, so that a late try never undoes what came after it. */
export function searchAction(connection: SearchConnection): ActionHandler<SearchActionDefinition> {
  return { type: 'search', prepare: (definition) => new PreparedSearch(definition, connection) };
}

class PreparedSearch implements PreparedAction {
  readonly limits = { concurrency: CONCURRENCY, rateLimit: null, circuitBreaker: DEFAULT_BREAKER };
  readonly timeout: number;
  private readonly id: Template;
  private readonly routing: Template | null;
  private readonly document: Template | null;

  constructor(
    private readonly definition: SearchActionDefinition,
    private readonly connection: SearchConnection,
  ) {
    const { id, routing, document, timeout } = definition;
    this.timeout = timeout;
    this.id = compileTemplate(id, 'text');
    this.routing = routing === null ? null : compileTemplate(routing, 'text');
    this.document = document === null ? null : compileBody(document, true);
  }

  async run(delivery: Delivery): Promise<Outcome> {
    const change = this.changeOf(new FilledTemplates(delivery));
    const writer = await this.connection.writer();
    return writer.write(change, this.timeout);
  }

  render(delivery: Delivery): Rendering {
    const fill = new FilledTemplates(delivery);
    const change = this.changeOf(fill);
    const document = change.operation === 'delete' ? null : change.document;
    const note = change.operation === 'update' ? ['it is merged into what is stored'] : [];
    return renderingOf({ type: 'search', ...change, document }, fill, note);
  }

  private changeOf(fill: FilledTemplates): DocumentChange {
    const { event } = fill;
    const { index, operation: asked } = this.definition;
    const operation = asked === 'auto' ? (event.kind === 'delete' ? 'delete' : 'index') : asked;
    const id = fill.text(this.id).toWellFormed();
    if (id === '') throw new TemplateRenderError('the id of the document is empty');
    const bytes = Buffer.byteLength(id);
    if (bytes > LONGEST_ID) throw new TemplateRenderError(`the id of the document has ${bytes} bytes, and may have ${LONGEST_ID}`);
    const routing = this.routing === null ? '' : fill.text(this.routing).toWellFormed();
    return {
      index,
      id,
      routing: routing === '' ? null : routing,
      operation,
      version: event.changeNumber,
      document: operation === 'delete' ? '' : this.documentOf(fill),
    };
  }

  /** The row's JSON goes as PostgreSQL wrote it, so that its numbers keep their digits. */
  private documentOf(fill: FilledTemplates): string {
    const text = this.document === null ? fill.event.data?.text : fill.text(this.document);
    if (text === undefined) throw new TemplateRenderError('there is no row to make a document of');
    // Only between its parts, for in strings they are escaped.
    return text.replace(/[\r\n]/g, ' ');
  }
}
