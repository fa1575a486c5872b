import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { AS_OWNER, startTestService } from '../support/service';
import { untilLeading } from '../support/until';

const PAGE = readFileSync(join(__dirname, '../../docs/CONFIGURATION_EXAMPLES.md'), 'utf8');
/** What the files name; the settings that would meet this machine's own servers are those of the test. */
const EXAMPLES = [...PAGE.matchAll(/^## (.*)\n[^]*?^```yaml\n([^]*?)^```$/gm)].map(([, title, file]) => [title!, file!] as const);

let database: TestDatabase;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
  database = await createTestDatabase();
  await database.query(
    'create table public.orders (id bigint primary key, tenant_id uuid, status text, total numeric, email text, internal_note text)',
  );
});
afterEach(async () => {
  await receiver.close();
  await database.drop();
});

test('the page has an example for each of its situations', () => {
  const [, list = ''] = /\n\n(- \[[^]*?)\n\n## /.exec(PAGE) ?? [];
  expect([...list.matchAll(/^- \[(.*?)\]/gm)].map(([, title]) => title)).toEqual(EXAMPLES.map(([title]) => title));
  expect(EXAMPLES.length).toBeGreaterThanOrEqual(6);
});

test.each(EXAMPLES)('%s: a service starts with the file, and leads', async (_title, file) => {
  const url = receiver.url.replace('127.0.0.1', '192.0.2.1');
  const names = ['BILLING_URL', 'WAREHOUSE_URL', 'LEDGER_URL', 'HUB_URL', 'CHAT_WEBHOOK'];
  const env = {
    ...Object.fromEntries(names.map((name) => [name, `${url}/${name}`])),
    BILLING_SECRET: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    OBSERVERS_DEDUP_DRIVER: 'postgres',
    OBSERVERS_PORT: '0',
    OBSERVERS_HOST: '127.0.0.1',
    OBSERVERS_WATCH: 'false',
    ELASTICSEARCH_URL: 'http://127.0.0.1:9',
  };
  const service = await startTestService(database.url, { file, env, drift: AS_OWNER });
  try {
    await untilLeading(service.streams.main);
  } finally {
    await service.stop();
  }
});
