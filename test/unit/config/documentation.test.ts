import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeObservers } from '../../../src/config/describe';
import { fileKey, SETTINGS } from '../../../src/config/settings';
import { ConfigFile } from './config-file';
import { containing } from '../../support/texts';

const PAGE = readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8');
const EXAMPLE = /```yaml\n([\s\S]*?)```/.exec(PAGE)?.[1] ?? '';
const ENV = {
  BILLING_URL: 'https://billing.example',
  BILLING_TOKEN: 'CANARY-token',
  BILLING_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
};

const file = new ConfigFile();
afterAll(() => file.remove());

test('the file that docs/configuration.md explains is valid, and does what it says', () => {
  const { settings, file: loaded } = file.load(EXAMPLE, ENV);
  expect(loaded.warnings).toEqual([]);
  expect(settings.maxInFlight).toBe(2000);
  expect(loaded.definition.captures[0]).toEqual({
    table: 'public.orders',
    entity: 'Order',
    key: ['id'],
    before: true,
    tenant: 'tenant_id',
    include: null,
    exclude: ['internal_note'],
    mask: { email: 'hash', card_number: 'drop' },
    when: "status <> 'draft'",
    strict: false,
  });
  expect(describeObservers(loaded.definition)).toEqual([
    {
      name: 'order-shipped',
      entities: 'Order',
      on: 'update',
      when: "status_changed_to('shipped') AND data.total > 100",
      goes: 'at once',
      actions: ['bill: POST billing.example (signed, timeout 10s, 32 at once)', 'note: a log line at level info'],
      retry: '8 attempts, exponential from 1s to 1h, within 3d; then the dead letter queue',
    },
    {
      name: 'order-deleted',
      entities: 'Order',
      on: 'delete',
      when: 'always',
      goes: 'at once',
      actions: ['webhook: PUT archive.example (unsigned, timeout 10s, 32 at once)'],
      retry: containing('after 5s, 5m, 30m, 2h, within 3d'),
    },
  ]);
});

test.each(Object.values(SETTINGS).map(({ variable, default: fallback, description }) => [variable, fallback, description]))(
  'docs/configuration.md lists %s with its key, its default %s and its meaning',
  (variable = '', fallback, description) => {
    const row = PAGE.split('\n').find((line) => line.startsWith(`| \`${variable}\``)) ?? '';
    const cells = row.split('|').map((cell) => cell.trim());
    expect(cells.slice(2, 5)).toEqual([`\`${fileKey(variable ?? '')}\``, fallback === null ? '' : `\`${fallback}\``, description]);
  },
);

/** A service account's key file, whose key nobody has. */
const credentials = join(mkdtempSync(join(tmpdir(), 'observers-docs-')), 'key.json');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
writeFileSync(
  credentials,
  JSON.stringify({
    project_id: 'p',
    client_email: 'e@p',
    token_uri: 'https://t.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }),
);
afterAll(() => rmSync(dirname(credentials), { recursive: true }));

test.each(readdirSync(join(__dirname, '../../../docs/actions')))('the example of docs/actions/%s is valid', (page) => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(__dirname, '../../../docs/actions', page), 'utf8')) ?? [];
  const custom = { names: ['ticket'], problemsOf: () => [] };
  const { file: loaded } = file.load(
    example,
    {
      ...ENV,
      SLACK_URL: 'https://hooks.slack.com/services/T0/B0/CANARY',
      SMTP_URL: 'smtp://u:CANARY@smtp.example',
      OBSERVERS_SMS_URL: 'https://AC0:CANARY@api.twilio.com',
      OBSERVERS_FCM_CREDENTIALS: credentials,
      OBSERVERS_VAPID_PRIVATE_KEY: Buffer.alloc(32, 1).toString('base64url'),
      OBSERVERS_VAPID_SUBJECT: 'mailto:push@shop.example',
    },
    custom,
  );
  expect(loaded.warnings).toEqual([]);
  const [action] = loaded.definition.observers[0]!.actions;
  expect(action?.type).toBe(page.replace('.md', ''));
  expect(JSON.stringify(describeObservers(loaded.definition))).not.toContain('CANARY');
});

test.each(['lookups.md', 'policies.md', 'dry-run.md'])('the example of docs/%s is valid', (page) => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(__dirname, '../../../docs', page), 'utf8')) ?? [];
  expect(file.load(example, { ...ENV, CRM_TOKEN: 'CANARY', CHAT_TOKEN: 'CANARY' }).file.warnings).toEqual([]);
});
