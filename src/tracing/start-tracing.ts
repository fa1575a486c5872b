import { hostname } from 'node:os';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOffSampler, AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'; // prettier-ignore
import type { Sampler, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings';
import { ExitCode, OperatorError } from '../event/errors';
import { VERSION } from '../config/version';
import { EventTraceIds } from './event-trace-ids';
import { OtelTracing } from './otel-tracing';
import { TellingExporter } from './telling-exporter';

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
