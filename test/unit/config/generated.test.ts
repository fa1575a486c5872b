import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartSchema, errorsPage } from '../../../src/config/generated';
import { jsonSchema } from '../../../src/config/schema/observers-file';
import { SETTINGS } from '../../../src/config/settings';
import type { Setting } from '../../../src/config/settings/kinds';
import { envExample } from '../../../src/config/settings/resolve';

const ROOT = join(__dirname, '../../..');

test('observers.schema.json is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, 'observers.schema.json'), 'utf8')).toBe(jsonSchema());
});

test('docs/errors.md is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')).toBe(errorsPage());
});

test('.env.example is current (npm run schema)', () => {
  expect(readFileSync(join(ROOT, '.env.example'), 'utf8')).toBe(envExample());
});

test("the settings in the chart's values.schema.json are current (npm run schema)", () => {
  const text = readFileSync(join(ROOT, 'helm/values.schema.json'), 'utf8');
  expect(text).toBe(chartSchema(text));
});

/** In the forms that settings take. */
const CANARIES = [
  ...['postgres', 'redis', 'nats', 'kafka', 'amqp', 'smtp', 'https'].map((scheme) => `${scheme}://user:CANARY-password@host.example`),
  'authorization=CANARY-password',
  'read:CANARY-password-of-the-API',
  'CANARY'.padEnd(43, 'x'),
  'CANARY'.padEnd(20, 'x'),
];
/** Any text is one of these, and none of them holds a secret. */
const NAMES = [
  'OBSERVERS_DATA_DIR',
  'OBSERVERS_HOST',
  'OBSERVERS_STREAM',
  'OBSERVERS_MODULES',
  'OBSERVERS_MAIL_FROM',
  'OBSERVERS_FCM_CREDENTIALS',
  'OBSERVERS_ELASTICSEARCH_CA_FILE',
  'OBSERVERS_REDIS_CA_FILE',
  'OBSERVERS_REDIS_PREFIX',
  'OBSERVERS_SMS_FROM',
  'OBSERVERS_VAPID_SUBJECT',
  'OBSERVERS_API_TOKENS_FILE',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
];

test.each(Object.values(SETTINGS).map((setting: Setting<unknown>) => [setting.variable, setting] as const))(
  'the table knows whether %s is a secret: what it would hide is one, and what it takes and shows is none',
  (variable, setting) => {
    const taken = CANARIES.map((canary) => [canary, setting.parse(canary)] as const).flatMap(([canary, parsed]) =>
      'value' in parsed ? [{ canary, shown: setting.show(parsed.value as never) }] : [],
    );
    if (setting.secret === true) {
      expect(taken.length).toBeGreaterThan(0);
      for (const { shown } of taken) expect(shown).not.toContain('CANARY');
    } else if (!NAMES.includes(variable)) {
      // What the chart takes as a plain value.
      const { pattern } = { pattern: '', ...setting.shape };
      expect(taken.filter(({ canary }) => new RegExp(pattern).test(canary))).toEqual([]);
    }
  },
);
