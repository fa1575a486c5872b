import { hostname } from 'node:os';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler, AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler,
  type ReadableSpan, type Sampler, type SpanExporter,
} from '@opentelemetry/sdk-trace-base'; // prettier-ignore
import type { Logger } from 'pino';
import type { Settings } from '../config/settings';
import { ExitCode, OperatorError, messageOf } from '../event/errors';
import { VERSION } from '../config/version';
import { EventTraceIds, OtelTracing } from './otel-tracing';

/**
 * Milliseconds for one batch of spans, its repetition by the exporter included. The exporter's 10 s would keep a process alive for so
 * long after its stop: nothing else ends its timers.
 */
const EXPORT_TIMEOUT = 2_000;

/** A provider of our own: nothing global is touched, so that modules of the user's may have theirs. @param url of the collector @throws OperatorError */
export function startTracing(url: string, settings: Settings, logger: Logger): OtelTracing {
  const { host } = new URL(url);
  const traceIds = new EventTraceIds();
  const provider = new BasicTracerProvider({
    resource: resourceOf(settings),
    sampler: samplerOf(settings),
    idGenerator: traceIds,
    // It keeps 2048 spans at most, and drops what comes then.
    spanProcessors: [new BatchSpanProcessor(new TellingExporter(exporterOf(url, settings), host, logger))],
  });
  logger.info({ collector: host, sampler: settings.otelTracesSampler }, 'traces are made');
  return new OtelTracing(provider, provider.getTracer('fraiseql-observers', VERSION), traceIds);
}

function exporterOf(url: string, { otlpHeaders, otlpTracesHeaders, otlpProtocol, otlpTracesProtocol }: Settings): SpanExporter {
  const options = { url, headers: { ...otlpHeaders, ...otlpTracesHeaders }, timeoutMillis: EXPORT_TIMEOUT };
  const protocol = otlpTracesProtocol ?? otlpProtocol;
  if (protocol === 'grpc')
    throw new OperatorError(
      'traces cannot be sent by gRPC (OTEL_EXPORTER_OTLP_PROTOCOL)',
      "Set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and OTEL_EXPORTER_OTLP_ENDPOINT to the collector's port for HTTP (4318), or OTEL_TRACES_EXPORTER=none.",
      ExitCode.configuration,
    );
  return protocol === 'http/json' ? new JsonExporter(options) : new ProtobufExporter(options);
}

function resourceOf({ otelServiceName, otelResourceAttributes, stream }: Settings): ReturnType<typeof resourceFromAttributes> {
  const ours = {
    'service.name': 'fraiseql-observers',
    'service.version': VERSION,
    'host.name': hostname(),
    'process.pid': process.pid,
    'observers.stream': stream,
    ...otelResourceAttributes,
  };
  return defaultResource().merge(resourceFromAttributes(otelServiceName === null ? ours : { ...ours, 'service.name': otelServiceName }));
}

function samplerOf({ otelTracesSampler: name, otelTracesSamplerArg: ratio }: Settings): Sampler {
  const root = rootSampler(name.replace('parentbased_', ''), ratio ?? 1);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(name: string, ratio: number): Sampler {
  if (name === 'traceidratio') return new TraceIdRatioBasedSampler(ratio);
  return name === 'always_off' ? new AlwaysOffSampler() : new AlwaysOnSampler();
}

/** Tells that the collector does not take spans, once and not with every batch, and that it does again. */
class TellingExporter implements SpanExporter {
  /** Spans since it has stopped working; null while it works. */
  private lost: number | null = null;

  constructor(
    private readonly exporter: SpanExporter,
    /** Host and port. */
    private readonly collector: string,
    private readonly logger: Logger,
  ) {}

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.works();
      else this.failed(spans.length, result.error);
      // It has been told here; the processor would tell it once more, and can do nothing else about it.
      done({ code: ExportResultCode.SUCCESS });
    });
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush?.() ?? Promise.resolve();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  private failed(spans: number, error: Error | undefined): void {
    if (this.lost === null) {
      const { code } = (error ?? {}) as { code?: number | string };
      const why = [code, error === undefined ? '' : messageOf(error)].filter((part) => part !== undefined && part !== '').join(' ');
      this.logger.warn({ collector: this.collector, err: why }, 'the collector does not take traces; deliveries go on, and spans are lost');
    }
    this.lost = (this.lost ?? 0) + spans;
  }

  private works(): void {
    if (this.lost !== null) this.logger.info({ collector: this.collector, lost: this.lost }, 'the collector takes traces again');
    this.lost = null;
  }
}
