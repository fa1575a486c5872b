import { ERROR_KINDS } from '../resilience/error-kinds';
import { SETTINGS, type SettingName } from './settings';
import type { Setting } from './settings/kinds';

/** The chart sets these itself, from what Kubernetes must know too: where the probes are, how long a stop may take, how a reload comes about. */
const OF_THE_CHART: readonly SettingName[] = ['host', 'port', 'watch', 'shutdownTimeout', 'dataDir'];

/**
 * The chart's `values.schema.json`, with the definitions that come from the table of settings brought up to date: `settings` are the variables that
 * may stand in values, `secretNames` those that come out of Secrets alone. The rest of it is written by hand.
 *
 * @param text the file as it is
 */
export function chartSchema(text: string): string {
  const schema = JSON.parse(text) as { definitions: Record<string, unknown> };
  const all = Object.entries(SETTINGS) as [SettingName, Setting<unknown>][];
  const plain = all.filter(([name, { secret }]) => secret !== true && !OF_THE_CHART.includes(name)).map(([, setting]) => setting);
  const secret = all.filter(([, setting]) => setting.secret === true).map(([, { variable }]) => variable);
  schema.definitions['settings'] = {
    description: 'Variables of the service; made from its table of settings (npm run schema).',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(plain.map((setting) => [setting.variable, propertyOf(setting)])),
  };
  schema.definitions['secretNames'] = {
    description: 'Settings that hold passwords, keys or tokens; made from the table of settings (npm run schema).',
    enum: secret,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function propertyOf({
  description,
  default: fallback,
  shape = { type: 'string', minLength: 1 },
}: Setting<unknown>): Record<string, unknown> {
  return { description: fallback === null ? description : `${description}; default ${fallback}`, ...shape };
}

const HEAD = `# Why an attempt failed

Each failed attempt has one of these words: in attempts and dead letters, in the log, in metrics, and for \`dlq list --error\`. What is tried again is tried as
the observer's \`retry\` says ([policies.md](policies.md)); everything else becomes a dead letter at once. Only the receiver's own faults open its circuit breaker.

`;

const TRIED = (retry: boolean | 'by status'): string =>
  retry === 'by status' ? '408, 425, 429 and 5xx are tried again.' : retry ? 'Tried again.' : 'Not tried again.';

/** docs/errors.md. */
export function errorsPage(): string {
  const lines = Object.entries(ERROR_KINDS).map(([kind, { retry, fault, means }]) => {
    const opens =
      fault === 'receiver' ? ' Opens the circuit breaker.' : fault === 'by status' ? ' 408 and 5xx open the circuit breaker.' : '';
    return `- \`${kind}\`: ${means}. ${TRIED(retry)}${opens}`;
  });
  return `${HEAD}${lines.join('\n')}\n`;
}
