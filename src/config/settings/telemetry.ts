import { decoded } from '../url-parts';
import { asIs, oneOf, withoutPasswords, type Setting } from './kinds';

// Names, values and their meaning are those of the OpenTelemetry specification.

const endpoint = (variable: string, description: string): Setting<string | null> => ({
  variable,
  description,
  default: null,
  parse: (value) =>
    /^https?:\/\//.test(value) && URL.canParse(value) ? { value } : { expected: 'a URL such as http://localhost:4318 (OTLP over HTTP)' },
  show: (value) => (value === null ? '' : withoutPasswords(value)),
  // One with a password comes out of a Secret.
  shape: { type: 'string', pattern: '^https?://[^@]+$' },
});

type Pairs = Readonly<Record<string, string>>;

/** `name=value,name=value`, values as in URLs. @param show what may be shown of a value */
const pairs = (variable: string, description: string, show: (value: string) => string): Setting<Pairs | null> => ({
  variable,
  description,
  default: null,
  parse: (text) => {
    const found: Record<string, string> = {};
    for (const part of text.split(',')) {
      const [, name, value] = /^\s*([^\s=,]+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
      const plain = value === undefined ? null : decoded(value);
      if (name === undefined || plain === null) return { expected: 'name=value, several with commas between, values encoded as in URLs' };
      found[name] = plain;
    }
    return { value: found };
  },
  show: (value) => Object.entries(value ?? {}).map(([name, one]) => `${name}=${show(one)}`).join(','), // prettier-ignore
});

/** gRPC is known, for whole clusters have it set; who asks for traces then is told that it is not spoken. */
const protocol = (variable: string, description: string): Setting<'http/protobuf' | 'http/json' | 'grpc' | null> => ({
  ...oneOf(variable, 'http/protobuf', ['http/protobuf', 'http/json', 'grpc'], description),
  default: null,
  show: (value) => value ?? '',
});

export const otelSdkDisabled: Setting<boolean> = {
  variable: 'OTEL_SDK_DISABLED',
  description: 'true: no traces, whatever else is set',
  default: 'false',
  parse: (value) => (/^(true|false)$/i.test(value) ? { value: value.toLowerCase() === 'true' } : { expected: 'true or false' }),
  show: asIs,
  shape: { type: 'boolean' },
};

export const otelTracesExporter = oneOf('OTEL_TRACES_EXPORTER', 'otlp', ['otlp', 'none'], 'none: no traces; otlp: to the collector, when one is named'); // prettier-ignore

export const otlpEndpoint = endpoint('OTEL_EXPORTER_OTLP_ENDPOINT', 'collector that traces are sent to, at its path /v1/traces; without it none are made'); // prettier-ignore
export const otlpTracesEndpoint = endpoint('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'the whole URL that traces are sent to; stronger than OTEL_EXPORTER_OTLP_ENDPOINT'); // prettier-ignore

const hidden = (): string => '***';
export const otlpHeaders = { ...pairs('OTEL_EXPORTER_OTLP_HEADERS', 'headers for the collector: name=value, several with commas between', hidden), secret: true as const }; // prettier-ignore
export const otlpTracesHeaders = { ...pairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'headers for traces alone; those of the same name are stronger than OTEL_EXPORTER_OTLP_HEADERS', hidden), secret: true as const }; // prettier-ignore

export const otlpProtocol = protocol(
  'OTEL_EXPORTER_OTLP_PROTOCOL',
  'how traces are sent: http/protobuf (the default) or http/json; with grpc, which is not spoken, a start is refused',
);
export const otlpTracesProtocol = protocol('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'the same for traces alone; stronger than OTEL_EXPORTER_OTLP_PROTOCOL'); // prettier-ignore

export const otelServiceName: Setting<string | null> = {
  variable: 'OTEL_SERVICE_NAME',
  description: 'name of the service in traces; without it that of OTEL_RESOURCE_ATTRIBUTES, or fraiseql-observers',
  default: null,
  parse: (value) => ({ value }),
  show: (value) => value ?? '',
};

export const otelResourceAttributes = pairs('OTEL_RESOURCE_ATTRIBUTES', 'what else traces say of the service: deployment.environment.name=production,…', asIs); // prettier-ignore

export const otelTracesSampler = oneOf(
  'OTEL_TRACES_SAMPLER',
  'parentbased_always_on',
  ['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'],
  'which traces are recorded; parentbased: those that the writing application records, and by the second part where it had none',
);

export const otelTracesSamplerArg: Setting<number | null> = {
  variable: 'OTEL_TRACES_SAMPLER_ARG',
  description: 'part of the traces for traceidratio, from 0 to 1; without it all',
  default: null,
  parse: (value) =>
    /^(\d+(\.\d*)?|\.\d+)$/.test(value) && Number(value) <= 1
      ? { value: Number(value) }
      : { expected: 'a number from 0 to 1, such as 0.25' },
  show: (value) => (value === null ? '' : String(value)),
  shape: { type: 'number', minimum: 0, maximum: 1 },
};

/** Where traces are sent; null: none are made. */
export function collectorOf(settings: {
  readonly otelSdkDisabled: boolean;
  readonly otelTracesExporter: 'otlp' | 'none';
  readonly otlpEndpoint: string | null;
  readonly otlpTracesEndpoint: string | null;
}): string | null {
  const { otelSdkDisabled: disabled, otelTracesExporter: exporter, otlpEndpoint: base, otlpTracesEndpoint: whole } = settings;
  if (disabled || exporter === 'none') return null;
  if (whole !== null || base === null) return whole;
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}
