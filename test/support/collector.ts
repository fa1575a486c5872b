import { startReceiver, status, type Receiver } from './receiver';
import { fieldsOf, type Field } from './protobuf';

/** A span as it came over the wire, ids in hex. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 unset, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly resource: Readonly<Record<string, string | number>>;
}

/** A collector of OTLP over HTTP, which reads protobuf and JSON as the specification says; what it is sent elsewhere is no span. */
export interface Collector {
  readonly receiver: Receiver;
  readonly spans: CollectedSpan[];
  waitFor(count: number): Promise<readonly CollectedSpan[]>;
}

export async function startCollector(answer = status(200)): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const receiver = await startReceiver((request, response, raw) => {
    if (request.path === '/v1/traces') {
      const json = request.headers['content-type'] === 'application/json';
      spans.push(...(json ? spansInJson(request.body) : spansInProtobuf(request.bytes)));
    }
    answer(request, response, raw);
  });
  return { receiver, spans, waitFor: async (count) => (await receiver.waitFor(() => spans.length >= count), spans) };
}

interface JsonValue {
  readonly stringValue?: string;
  readonly intValue?: string | number;
}
type JsonAttributes = readonly { readonly key: string; readonly value: JsonValue }[];
interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: JsonAttributes;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}
interface JsonRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: JsonAttributes };
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[];
  }[];
}

function spansInJson(text: string): CollectedSpan[] {
  const attributesOf = (all: JsonAttributes): Record<string, string | number> =>
    Object.fromEntries(all.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));
  return (JSON.parse(text) as JsonRequest).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map(({ parentSpanId = '', traceState = '', attributes, links = [], status: { code = 0, message = '' } = {}, ...span }) => ({
        ...span,
        parentSpanId,
        traceState,
        attributes: attributesOf(attributes),
        links: links.map(({ traceId, spanId }) => ({ traceId, spanId })),
        status: { code, message },
        resource: attributesOf(resource.attributes),
      })),
  );
}

// Field numbers of opentelemetry/proto/trace/v1/trace.proto, common.proto and trace_service.proto.
function spansInProtobuf(bytes: Buffer): CollectedSpan[] {
  return nested(bytes, 1).flatMap((resourceSpans) => {
    const resource = attributesIn(nested(resourceSpans, 1)[0] ?? Buffer.alloc(0), 1);
    return nested(resourceSpans, 2).flatMap((scope) => nested(scope, 2).map((span) => spanIn(span, resource)));
  });
}

function spanIn(bytes: Buffer, resource: CollectedSpan['resource']): CollectedSpan {
  const hex = (of: Buffer, field: number): string => nested(of, field)[0]?.toString('hex') ?? '';
  const textOf = (of: Buffer, field: number): string => nested(of, field)[0]?.toString('utf8') ?? '';
  const [status = Buffer.alloc(0)] = nested(bytes, 15);
  return {
    traceId: hex(bytes, 1),
    spanId: hex(bytes, 2),
    traceState: textOf(bytes, 3),
    parentSpanId: hex(bytes, 4),
    name: textOf(bytes, 5),
    kind: numberIn(bytes, 6),
    attributes: attributesIn(bytes, 9),
    links: nested(bytes, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    status: { code: numberIn(status, 3), message: textOf(status, 2) },
    resource,
  };
}

function attributesIn(bytes: Buffer, field: number): Record<string, string | number> {
  return Object.fromEntries(
    nested(bytes, field).map((pair) => {
      const [value = Buffer.alloc(0)] = nested(pair, 2);
      const [string] = nested(value, 1);
      return [nested(pair, 1)[0]?.toString('utf8') ?? '', string === undefined ? numberIn(value, 3) : string.toString('utf8')];
    }),
  );
}

function nested(bytes: Buffer, number: number): Buffer[] {
  return fieldsOf(bytes)
    .filter((field): field is Field & { value: Buffer } => field.number === number && Buffer.isBuffer(field.value))
    .map(({ value }) => value);
}

function numberIn(bytes: Buffer, number: number): number {
  const found = fieldsOf(bytes).find((field) => field.number === number && typeof field.value === 'bigint');
  return Number(found?.value ?? 0);
}
