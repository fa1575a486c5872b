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
