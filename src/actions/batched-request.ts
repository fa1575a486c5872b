import { counted } from '../event/counted';
import { TEST_HEADER } from '../event/webhook-headers';
import { batchId, type Delivery } from '../event/delivery';
import { limitsOf, type EndpointLimits, type WebhookBatch } from '../event/definitions';
import { envelopeText } from '../event/envelope';
import { failed, STOPPING, type Outcome } from '../event/outcome';
import { traceHeaders } from '../event/trace-context';
import { compileTemplate, type Template } from '../matching/template/template';
import type { PreparedAction } from './action-handler';
import { FilledTemplates } from './fill';
import { splitUrl, type HttpRequest, type HttpSender } from '../connections/http/http-sender';
import { renderingOf, shownContent, type Rendering } from './rendering';
import type { RequestTemplate } from './templated-request';
import type { Tracing } from '../tracing/tracing';

/** Bytes of a body at most; a larger delivery goes alone. */
export const LARGEST_BATCH = 1024 * 1024;
/** What a receiver says about a body, of which one delivery may be the cause. */
const REFUSALS: ReadonlySet<number | null> = new Set([400, 409, 413, 422]);
/** Ids of refused batches that are remembered; the oldest are forgotten first, and at worst are refused in company once more. */
const MOST_REMEMBERED = 10_000;

interface Item {
  readonly id: string;
  readonly delivery: Delivery;
  readonly body: Buffer;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly items: Item[];
  /** Bytes of the body, with brackets and commas. */
  bytes: number;
  /** Until it is due, then until it has waited for a place too long. */
  timer: NodeJS.Timeout | null;
}

/**
 * Gathers the deliveries of one action and sends them as one request, whose body is a JSON array. A batch is due when it is full, or
 * when its first delivery has waited for `within`; when all places of the endpoint are taken it goes on gathering. Every delivery of a
 * batch ends with the batch's outcome and is a delivery of its own again: what is retried gathers anew.
 *
 *   gathering → (full, or due and a place is free) → sent
 *            ↘ full → ready → (a place is free) → sent
 */
export class BatchedRequest implements PreparedAction {
  readonly limits: EndpointLimits;
  readonly timeout: number;
  private gathering: Batch | null = null;
  /** Whether what gathers has waited long enough. */
  private due = false;
  private readonly ready: Batch[] = [];
  /** Delivery ids whose batch was refused: the next time each goes alone, so that the culprit is found and the others arrive. */
  private readonly alone = new Set<string>();
  private readonly path: Template;
  private readonly headers: readonly (readonly [string, Template])[];

  /** @param source `observer/action`, which with an event's id says which delivery it is */
  constructor(
    private readonly template: RequestTemplate,
    private readonly batch: WebhookBatch,
    private readonly source: string,
    private readonly sender: HttpSender,
    private readonly tracing: Tracing,
  ) {
    const { endpoint, headers } = template;
    // Places are counted in deliveries.
    this.limits = { ...limitsOf(endpoint), concurrency: endpoint.concurrency * batch.max };
    // Gathering, waiting for a place, and the request itself.
    this.timeout = batch.within + 2 * endpoint.timeout;
    this.path = compileTemplate(splitUrl(endpoint.url)[1], 'url');
    this.headers = [...headers].map(([name, value]) => [name, compileTemplate(value, 'header')] as const);
    sender.closing.addEventListener('abort', () => this.abandon());
  }

  run(delivery: Delivery, id: string): Promise<Outcome> {
    if (this.sender.closing.aborted) return Promise.resolve(STOPPING);
    const body = this.bodyOf(new FilledTemplates(delivery));
    return new Promise((resolve, reject) => {
      const item = { id, delivery, body, resolve, reject };
      if (this.alone.delete(id)) this.queue({ items: [item], bytes: body.length + 2, timer: null });
      else this.add(item);
      this.flush();
    });
  }

  /** As it goes when nothing gathers with it. */
  render(delivery: Delivery, id: string): Rendering {
    const fill = new FilledTemplates(delivery);
    const item = { id, delivery, body: this.bodyOf(fill) };
    const request = this.request([item], item.body.length + 2);
    const note = `up to ${counted(this.batch.max, 'delivery goes', 'deliveries go')} in one request; this is it alone, and its webhook-id that of the batch`;
    return renderingOf(shownContent(this.template.endpoint, request), fill, [note]);
  }

  private bodyOf(fill: FilledTemplates): Buffer {
    const { body: template } = this.template;
    return Buffer.from(template === null ? envelopeText(fill.event) : fill.text(template));
  }

  private add(item: Item): void {
    const size = item.body.length + 1;
    if (this.gathering !== null && this.gathering.bytes + size > LARGEST_BATCH) this.queue(this.cut(this.gathering));
    if (this.gathering === null) {
      this.due = false;
      const timer = setTimeout(() => this.ripen(), this.batch.within);
      this.gathering = { items: [], bytes: 1, timer };
    }
    this.gathering.items.push(item);
    this.gathering.bytes += size;
    if (this.gathering.items.length >= this.batch.max) this.queue(this.cut(this.gathering));
  }

  private ripen(): void {
    this.due = true;
    if (this.gathering !== null) this.limitWait(this.gathering);
    this.flush();
  }

  private cut(batch: Batch): Batch {
    this.gathering = null;
    this.due = false;
    return batch;
  }

  private queue(batch: Batch): void {
    this.limitWait(batch);
    this.ready.push(batch);
  }

  /** Sends what may be sent; the rest when a place becomes free. */
  private readonly flush = (): void => {
    const { places } = this.sender;
    while (this.ready.length > 0 || this.due) {
      if (!places.take()) return places.whenFree(this.flush);
      const batch = this.ready.shift() ?? this.cut(this.gathering as Batch);
      if (batch.timer !== null) clearTimeout(batch.timer);
      this.send(batch)
        .catch((error: unknown) => batch.items.forEach(({ reject }) => reject(error)))
        .finally(() => places.leave());
    }
  };

  private async send({ items, bytes }: Batch): Promise<void> {
    const request = this.request(items, bytes);
    const deliveries = items.map(({ delivery }) => delivery);
    const outcome = await this.tracing.request(deliveries, (trace) =>
      this.sender.send({ ...request, headers: [...request.headers, ...traceHeaders(trace).flat()] }),
    );
    const refused = items.length > 1 && !outcome.ok && outcome.error === 'http_status' && REFUSALS.has(outcome.status);
    if (refused) this.remember(items);
    const shared: Outcome = { ...(refused ? refusalOf(outcome, items.length) : outcome), request: items };
    for (const { resolve } of items) resolve(shared);
  }

  private request(items: readonly Pick<Item, 'id' | 'delivery' | 'body'>[], bytes: number): HttpRequest {
    const { method, sign } = this.template;
    const id = batchId(items.map((item) => item.id));
    const timestamp = Math.floor(this.sender.clock.now() / 1_000);
    const headers = ['webhook-id', id, 'webhook-timestamp', String(timestamp), 'observers-action', this.source];
    const [{ delivery }] = items as [Item];
    const { event, test } = delivery;
    if (test !== undefined) headers.push(...TEST_HEADER);
    // They hold no template: any event will do.
    for (const [name, value] of this.headers) headers.push(name, value.render(event).text);
    const body = Buffer.concat([OPEN, ...items.flatMap((item, i) => (i === 0 ? [item.body] : [COMMA, item.body])), CLOSE], bytes);
    if (sign !== null) headers.push('webhook-signature', sign(id, timestamp, body));
    return { path: this.path.render(event).text, method, headers, body };
  }

  private remember(items: readonly Item[]): void {
    for (const { id } of items) this.alone.add(id);
    for (const id of this.alone) {
      if (this.alone.size <= MOST_REMEMBERED) break;
      this.alone.delete(id);
    }
  }

  /** A batch that finds no place within the endpoint's timeout: the claims of its deliveries must not run out. */
  private limitWait(batch: Batch): void {
    if (batch.timer !== null) clearTimeout(batch.timer);
    const { concurrency, timeout } = this.template.endpoint;
    const late = failed('timeout', `none of the endpoint's requests (concurrency ${concurrency}) ended within ${timeout} ms`);
    batch.timer = setTimeout(() => this.end(batch, late), timeout);
  }

  private end(batch: Batch, outcome: Outcome): void {
    if (batch.timer !== null) clearTimeout(batch.timer);
    if (batch === this.gathering) this.cut(batch);
    else this.ready.splice(this.ready.indexOf(batch), 1);
    for (const { resolve } of batch.items) resolve(outcome);
  }

  private abandon(): void {
    for (const batch of [...this.ready, ...(this.gathering === null ? [] : [this.gathering])]) this.end(batch, STOPPING);
  }
}
const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

function refusalOf({ status, excerpt }: Extract<Outcome, { ok: false }>, count: number): Outcome {
  const message = `the receiver refused a batch of ${count} (${status}); the next time each of its deliveries is sent alone`;
  return failed('batch_refused', message, { status, excerpt });
}
