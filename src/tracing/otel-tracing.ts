import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as api,
  TraceFlags,
  isValidTraceId,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { TraceState } from '@opentelemetry/core';
import { RandomIdGenerator, type BasicTracerProvider, type IdGenerator } from '@opentelemetry/sdk-trace-base';
import { LRUCache } from 'lru-cache';
import type { Tracing } from './tracing';
import type { ActionDefinition } from '../event/definitions';
import type { Delivery } from '../event/delivery';
import type { Outcome } from '../event/outcome';
import { parseTraceContext, type TraceContext } from '../event/trace-context';
import { within } from '../event/timing';
import { actionSpan, deliveryAttributes, isHttp, outcomeAttributes, type ActionSpan } from './span-attributes';

/**
 * The trace id of an event that has no trace: its own id, without dashes. So all tries of all its deliveries are one trace, before and
 * after a restart, and whoever has the event's id finds it. Other ids are random.
 */
export class EventTraceIds implements IdGenerator {
  /** Id (UUID) of the event that the next span is for; null: of none. Written before each span is started, which happens at once. */
  next: string | null = null;
  private readonly random = new RandomIdGenerator();
  readonly generateSpanId = this.random.generateSpanId;

  generateTraceId(): string {
    const id = this.next?.replaceAll('-', '') ?? '';
    return isValidTraceId(id) ? id : this.random.generateTraceId();
  }
}

/** How long a stop waits for the collector, in milliseconds. */
const LAST_WORDS = 2_000;
/** Failed tries that the next one is linked to; about 3 MB. Of the oldest the link is lost, and nothing else. */
const MOST_REMEMBERED = 10_000;

/**
 * A span for each try, below the span of the application that wrote the change. All tries of all deliveries of an event are siblings,
 * and each is linked to the one before it. An event without a traceparent makes a trace of its own, whose id is made of the event's.
 */
export class OtelTracing implements Tracing {
  private readonly spans = new WeakMap<ActionDefinition, ActionSpan>();
  private readonly failedTries = new LRUCache<string, SpanContext>({ max: MOST_REMEMBERED });

  constructor(
    private readonly provider: BasicTracerProvider,
    private readonly tracer: Tracer,
    private readonly traceIds: EventTraceIds,
  ) {}

  async attempt(delivery: Delivery, id: string, run: (delivery: Delivery) => Promise<Outcome>): Promise<Outcome> {
    const span = this.start(delivery, id);
    const outcome = await run({ ...delivery, trace: contextOf(span, delivery.event.tracestate) });
    end(span, outcome, isHttp(delivery.action));
    if (outcome.ok) this.failedTries.delete(id);
    else this.failedTries.set(id, span.spanContext());
    return outcome;
  }

  async request(deliveries: readonly Delivery[], run: (trace: TraceContext | null) => Promise<Outcome>): Promise<Outcome> {
    const links = deliveries.flatMap(({ trace }) => linkTo(trace));
    // Nobody is to see the deliveries: nor their request.
    if (!links.some(({ context }) => context.traceFlags & TraceFlags.SAMPLED)) return run(null);
    const [first] = deliveries as [Delivery];
    const { attributes } = this.spanOf(first);
    this.traceIds.next = null;
    const options = { kind: SpanKind.CLIENT, links, attributes: { ...attributes, 'messaging.batch.message_count': deliveries.length } };
    const span = this.tracer.startSpan(`send ${first.observer.name}/${first.action.name}`, options, ROOT_CONTEXT);
    const outcome = await run(contextOf(span, null));
    end(span, outcome, true);
    return outcome;
  }

  /** What could not be sent within two seconds is lost. */
  async stop(): Promise<void> {
    await within(
      this.provider.shutdown().catch(() => undefined),
      LAST_WORDS,
      () => undefined,
    );
  }

  private start(delivery: Delivery, id: string): Span {
    const { event } = delivery;
    const { name, kind, attributes } = this.spanOf(delivery);
    const before = delivery.attempt > 1 ? this.failedTries.get(id) : undefined;
    const links = before === undefined ? [] : [{ context: before, attributes: { 'observers.link': 'previous try' } }];
    this.traceIds.next = event.id;
    return this.tracer.startSpan(
      name,
      { kind, links, attributes: { ...attributes, ...deliveryAttributes(delivery, id) } },
      parentOf(event),
    );
  }

  private spanOf(delivery: Delivery): ActionSpan {
    let span = this.spans.get(delivery.action);
    if (span === undefined) {
      span = actionSpan(delivery);
      this.spans.set(delivery.action, span);
    }
    return span;
  }
}

function parentOf({ traceparent, tracestate }: Delivery['event']): Context {
  const parent = spanContextOf(parseTraceContext(traceparent, tracestate));
  return parent === null ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, parent);
}

function linkTo(trace: TraceContext | undefined): Link[] {
  const context = spanContextOf(trace ?? null);
  return context === null ? [] : [{ context }];
}

function spanContextOf(context: TraceContext | null): SpanContext | null {
  if (context === null) return null;
  const [, traceId = '', spanId = '', flags = '00'] = context.traceparent.split('-');
  const traceState = context.tracestate === null ? {} : { traceState: new TraceState(context.tracestate) };
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true, ...traceState };
}

function contextOf(span: Span, tracestate: string | null): TraceContext {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { traceparent: `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`, tracestate };
}

function end(span: Span, outcome: Outcome, http: boolean): void {
  span.setAttributes(outcomeAttributes(outcome, http));
  if (!outcome.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.error });
  span.end();
}
